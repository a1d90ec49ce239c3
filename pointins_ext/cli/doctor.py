"""What this machine has for pointins_ext, on one screen, and the one command to type next.

    pointins doctor [--data FOLDER]
    pointins doctor --weight indoor                    # the card of weights that the package ships
    pointins doctor --config pointins/NAME --gpus 8    # the memory that a training needs on each GPU

Needs neither Pointcept nor a GPU. Exit code 0: a training step ran and nothing that was asked for is missing; else 2.
"""

import contextlib
import importlib.metadata
import importlib.util
import io
import logging
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from pointins_ext import CONFIGS, weights
from pointins_ext.flags import at_least, verb_parser

PACKAGES = ("numpy", "scipy", "addict", "tqdm", "tensorboard", "plyfile")
EXTRAS = {  # of setup.py -> module, what it is for
    "scans": ("pypcd4", "reads .pcd and .las scans"),
    "viz": ("matplotlib", "pictures and reports"),
    "cluster": ("sklearn", "HDBSCAN, as a prior and as a baseline"),
    "pointcept": ("timm", "what Pointcept imports"),
}
# compiled part -> who calls it; the embedded host needs none of them
COMPILED = {
    "spconv": "convolutions of PTv3 and SpUNet",
    "flash_attn": "attention of PTv3 on a GPU, else PyTorch's own, which takes more memory",
    "torch_scatter": "poolings",
    "torch_cluster": "neighbors",
    "pointops": "neighbors in evaluators",
    "pointgroup_ops": "clusters of PointGroup",
}
DATA_ROOT = "data"
# folder below it -> scenes of a complete download, by Pointcept's layouts
DATA = {
    "scannet": {"train/*": 1201, "val/*": 312, "test/*": 100},
    "s3dis": {"Area_*/*": 272},
    "structured3d": {"*/scene_*/room_*": 21821},
    "nuscenes": {"info/nuscenes_infos_10sweeps_*.pkl": 3, "raw/samples/LIDAR_TOP/*.bin": 34149},
    "semantic_kitti": {"dataset/sequences/*/velodyne/*.bin": 43552},
    "waymo": {"training/*/*": 23691, "validation/*/*": 5976},
}


def arguments(argv):
    parser = verb_parser("doctor", __doc__)
    parser.add_argument("--data", help=f"folder that holds scannet, nuscenes, ... (default {DATA_ROOT})")
    parser.add_argument("--weight", choices=weights.NAMES, help="print the card of these weights, and nothing else")
    parser.add_argument("--config", help="the memory that training this config takes, by two passes on a few points")
    parser.add_argument("--gpus", type=at_least(1), help="GPUs that share its batch (default: all, or 1)")
    return parser.parse_args(argv)


def say(name: str, *lines: str) -> None:
    """A heading and its lines beside it."""
    for i, text in enumerate(lines):
        print(f"{name if i == 0 else '':10}{text}")


def version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def python_lines() -> list[str]:
    import torch

    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    extras = [name for name, (module, _) in EXTRAS.items() if importlib.util.find_spec(module) is None]
    lines = [f"{platform.python_version()} at {sys.executable}", f"torch {torch.__version__}, {packages}"]
    for name in extras:
        lines.append(f"without {EXTRAS[name][0]} ({EXTRAS[name][1]}): pip install 'pointins_ext[{name}]'")
    return lines


def gpu_lines() -> list[str]:
    import torch

    if not torch.cuda.is_available():
        built = f"PyTorch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "a CPU build of PyTorch"
        return [f"none found ({built}); {os.cpu_count()} CPU cores"]
    lines = []
    for i in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(i)
        lines.append(f"{torch.cuda.get_device_name(i)}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free")
    return lines


def host_lines(host) -> list[str]:
    """Which host, why, and which stand-ins step in."""
    from pointins_ext.host import locate, stand_ins

    lines = [f"{host.NAME}: {host.REASON}"]
    if host.NAME == "embedded":
        return [*lines, "pure PyTorch, needs nothing compiled; Sonata, DOS and PSA; not Concerto, not Utonia"]
    lines.append(f"Pointcept commit {commit(locate.pointcept_root())}")
    for name, purpose in COMPILED.items():
        state = stand_ins.ANNOUNCEMENTS.get(name)
        if state is None:
            state = f"{name} {version(name) or 'found' if importlib.util.find_spec(name) else 'is not installed'}"
        lines.append(f"{state} ({purpose})")
    if stand_ins.ANNOUNCEMENTS:
        lines.append(
            "stand-ins give the same numbers; on a CPU a step takes 1.3 times the embedded host's (tools/README.md)"
        )
    return lines


def commit(root: Path) -> str:
    """Commit of a checkout, "unknown" where git does not tell."""
    try:
        answer = subprocess.run(
            ["git", "-C", root, "log", "-1", "--format=%h of %cs"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return answer.stdout.strip() or "unknown"


def data_lines(root: Path) -> tuple[list[str], set[str]]:
    """A line for each known data set below `root`, and the names of those that are complete."""
    lines, complete = [], set()
    for name, expected in DATA.items():
        folder = root / name
        if not folder.is_dir():
            continue
        counts = {pattern: sum(1 for _ in folder.glob(pattern)) for pattern in expected}
        short = [f"{pattern} {counts[pattern]} of {n}" for pattern, n in expected.items() if counts[pattern] < n]
        lines.append(f"{folder}: {'incomplete, ' + ', '.join(short) if short else 'complete'}")
        if not short:
            complete.add(name)
    if not lines:
        lines = [f"no known data set below {root}/; synthetic rooms and drives need no download"]
    return lines, complete


def self_test() -> str:
    """Two training steps of a small PointINS on a synthetic room, on the GPU if there is one; else RuntimeError."""
    import torch

    from pointins_ext import plugin  # noqa: F401
    from pointins_ext.engine.step import to_device
    from pointins_ext.host import Config, build_dataset, build_model, point_collate_fn
    from pointins_ext.host.flash import disable_flash

    begin = time.perf_counter()
    cfg = Config.fromfile(str(CONFIGS / "pointins/pretrain-dos-rooms.py"))
    disable_flash(cfg.model)
    dataset = build_dataset(dict(cfg.data.train, num_scenes=1))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(dict(cfg.model, offset_warmup_steps=0)).to(device).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    batch = to_device(point_collate_fn([dataset[0]]), device)
    before = [p.detach().clone() for p in model.student.offset_head.parameters()]
    for _ in range(2):
        optimizer.zero_grad()
        loss = model(dict(batch))["loss"]
        loss.backward()
        optimizer.step()
        model.after_step()
    moved = any(not torch.equal(a, b) for a, b in zip(before, model.student.offset_head.parameters(), strict=True))
    if not (torch.isfinite(loss) and moved):
        raise RuntimeError(f"the loss is {float(loss)}, the offset head {'has learned' if moved else 'stays as it is'}")
    points = len(batch["global_coord"])
    return f"passed: 2 training steps of {points} points on {device.type}, {time.perf_counter() - begin:.1f} s"


def next_command(host: str, gpu: bool, complete: set[str]) -> str:
    """What a user of this machine would type next."""
    pretrainer = "sonata" if host == "pointcept" else "dos"
    for name in ("scannet", "nuscenes"):
        if gpu and name in complete:
            return f"pointins train -c pointins/pretrain-{pretrainer}-ptv3-{name} -n first"
    return "pointins demo"


def quiet() -> None:
    logging.disable(logging.WARNING)
    os.environ["TQDM_DISABLE"] = "1"


def memory_of(config: str, gpus: int | None) -> None:
    """Print what a training needs on each GPU."""
    import torch

    if not torch.cuda.is_available():  # whose attention takes as little memory as flash-attn on a GPU
        os.environ["POINTINS_HOST"] = "embedded"
    from pointins_ext.cli import memory

    memory.report(config, gpus)


def main(argv) -> int:
    args = arguments(argv)
    if args.weight:
        print(weights.card(args.weight))
        return 0
    if args.config:
        quiet()  # before PyTorch and tqdm are imported, which read it once
        from pointins_ext.errors import exit_on_user_error

        exit_on_user_error(memory_of, args.config, args.gpus)
        return 0
    if args.data is not None and not os.path.isdir(args.data):
        print(
            f"error: --data {args.data} is no folder; name the one that holds scannet, nuscenes, ...", file=sys.stderr
        )
        return 2
    quiet()
    try:
        import torch
    except ImportError as error:
        print(f"PyTorch cannot be imported ({error})\n\nNext: pip install torch")
        return 2
    say("Python", *python_lines())
    say("GPU", *gpu_lines())
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # Pointcept says what it lacks; so do we
            from pointins_ext import host

            bound = host.NAME
    except (ImportError, ValueError) as error:
        say("Host", f"error: {error}")
        print("\nNext: correct POINTCEPT_ROOT, or unset POINTINS_HOST to train on the embedded host")
        return 2
    say("Host", *host_lines(host))
    lines, complete = data_lines(Path(args.data or DATA_ROOT))
    say("Data", *lines)
    try:
        say("Self-test", self_test())
    except Exception as error:  # whatever it is, the user wants to see it here
        say("Self-test", f"failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
        print("\nNext: sh tests/run.sh, in a clone of the repository, shows which part is broken")
        return 2
    print(f"\nNext: {next_command(bound, torch.cuda.is_available(), complete)}")
    return 0
