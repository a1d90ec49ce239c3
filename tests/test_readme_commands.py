"""Every command of the READMEs is run as it stands there, on tiny data and with few steps, in their order.

    POINTCEPT_ROOT=... python -m pytest -m slow tests/test_readme_commands.py

Placeholders get names, `SHORT` adds overrides at the end; nothing else of a command changes. That none is left out is
tested in every run.
"""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pointins_ext.datasets.drives import SyntheticDrivesDataset
from pointins_ext.datasets.readers import write_ply
from pointins_ext.host.locate import pointcept_root
from tests.fixtures.tiny_datasets import WRITERS, room, write_arrays

ROOT = Path(__file__).parents[1]
# in this order: what a page uses, an earlier one has made
PAGES = [
    ROOT / name / "README.md" for name in (".", "configs/pointins", "tools", "tools/results", "pointins_ext", "tests")
]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

# a backbone of the paper's configs at a size for seconds
SMALL = (
    "model.backbone.enc_depths=(1,1,1,1,1) model.backbone.enc_channels=(8,8,16,16,16) "
    "model.backbone.enc_num_head=(1,1,2,2,2) model.backbone.enc_patch_size=(64,64,64,64,64) "
    "model.cluster_min_points=5 model.cluster_propose_points=10 "
)
DECODER = (
    "model.backbone.dec_depths=(1,1,1,1) model.backbone.dec_channels=(8,8,16,16) model.backbone_out_channels=8 "
    "model.backbone.dec_num_head=(1,1,2,2) model.backbone.dec_patch_size=(64,64,64,64) "
)
STEPS = "epoch=1 eval_epoch=1 num_worker=0 "
SCANS = STEPS + "model.offset_warmup_steps=1"
# command -> what is added; None: run elsewhere, as the note says
SHORT = {
    r"sh tools/quickstart.sh": "--num-rooms 2 --num-val 1 --epochs 1",
    r"sh tools/quickstart.sh --seed S": None,  # the line above
    r"sh tests/run.sh": None,  # CI runs it
    r"(sh tools/train.sh|pointins train) -c pointins/pretrain-dos-scans .*": SCANS,
    r".*/dropped/.*|.* -n dropped .*": None,  # seeds by letter; tests/embedded/test_transform_color.py
    r"pointins train .* seed=S .*": None,  # seeds by letter; insseg-rooms and its kin, below
    r"pointins evaluate --json": None,  # names a flag
    r"pointins evaluate .*": "--methods pointins --num-scenes 1",
    r"python tools/ablate_rule.py .*": "--num-scenes 2",
    r"python tools/time_segment.py": "--points 5000",
    r"python tools/time_processes.py .*": "--help",  # takes minutes
    r"python tools/tune_rivals.py .*": "--methods components --num-scenes 1 --output rivals.json",
    r"pointins demo": "",
    r"pointins segment .*": "--no-picture",
    r"sh tools/train.sh -c pointins/insseg-ptv3-scannet-lin .*": STEPS + SMALL + "model.backbone_out_channels=64",
    r"sh tools/train.sh -c pointins/insseg-ptv3-scannet(-dec)? .*": STEPS + SMALL + DECODER,
    r"sh tools/test.sh -d pointins -n (full|NAME).*": "num_worker=0 " + SMALL + DECODER,
    r".* (-n |exp/pointins/)(nus|kitti).*": None,  # test_downstream_configs.py and tests/submission
    r"pointins submit .*": "",
    r"sh tools/train.sh -c pointins/pretrain-dos-drives .*": SCANS + " num_drives=2",
    r"sh tools/train.sh -c pointins/(pan|ins)seg-rooms.*": STEPS + "num_rooms=2 data.val.num_scenes=2 batch_size=2",
    r"sh tools/train.sh -c pointins/panseg-drives.*": STEPS + "num_drives=2 data.val.num_scenes=2 batch_size=2",
    r"sh tools/train.sh -c pointins/insseg-scans.*": STEPS + "batch_size=2",
    r"sh tools/test.sh -d pointins -n (pan|ins)seg-(rooms|drives).*": "num_worker=0 data.test.num_scenes=1",
    r"sh tools/test.sh -d pointins -n insseg-scans.*": "num_worker=0",
    r"pip install .*": None,  # tests/run.sh installs these extras, test_packaging.py in an empty environment
    r"pointins doctor": "",
    r"pointins doctor --config NAME.*": None,  # tests/cli/test_memory.py
    r"(torchrun|srun) .*|.* -g 8": None,  # tests/engine/test_machines.py
    r"pointins (quickstart|train|test|submit|segment|evaluate|study|prior|export)": "--help",
    r"pointins VERB --help": None,  # the lines above
    r"pointins study .*-.*": None,  # tests of the verb; its figures are of longer runs
    r"sh tools/(train|test).sh|sh tools/train.sh -c pointins/NAME -n RUN": None,  # names
    r"sh tools/train.sh -c pointins/pretrain-sonata-ptv3-scannet -n first": None,  # test_configs.py on Pointcept
    r"sh tools/train.sh -c sonata/pretrain-sonata-v1m1-0-base .*": None,  # tests/pointcept/test_pretrainers.py
    r"sh tools/test.sh -d scannet -n some_experiment": None,  # tests/pointcept/test_upstream.py
    r"python tools/ablate.py .*": None,  # tests/tools/ablation, on a tiny setting
    r"python tools/benchmark.py .*": None,  # .ci/run, its quick form
    r"python tools/results_page.py": None,  # tests/tools/test_results_page.py
    r"python tools/config_deviations.py": None,  # tests/pointcept/test_config_deviations.py
    r"python tools/compare_hosts.py .*": "--steps 2 --scenes 1" if pointcept_root() else None,
    r"python tests/soak.py .*": "--minutes 1 --every 1 --limit 1000000",  # it has not settled yet
    r"(\w+=\S+ )?python -m pytest .*": None,  # tests
}


def commands() -> list[str]:
    """Commands of the shell blocks and of the text, in order, loops unrolled, each once."""
    found = []
    for block, inline in re.findall(
        r"```sh\n(.*?)```|`((?:(?:sh|python) (?:tools|tests)/|pointins )[^`]*)`", TEXT, re.DOTALL
    ):
        lines = [re.sub(r"\s+#.*", "", line) for line in (block or inline).splitlines()]
        loops, body = [], []
        for line in map(str.strip, lines):
            if match := re.fullmatch(r"for (\w+) in (.*); do", line):
                loops.append([(match[1], word.strip('"')) for word in match[2].split()])
            elif line == "done":
                done = loops.pop()
                body = [each.replace(f"${name}", word) for name, word in done for each in body]
            elif line:
                body.append(line)
        found += itertools.chain.from_iterable(line.split(" && ") for line in body)
    return [line for line in dict.fromkeys(found) if not line.startswith("export ")]


def addition(command: str) -> str | None:
    """What SHORT adds to a command. AssertionError where no line of it is meant for the command."""
    lines = [value for pattern, value in SHORT.items() if re.fullmatch(pattern, command)]
    assert lines, f"a README has a command that no line of SHORT is for: {command}"
    return lines[0]


def test_no_command_is_left_out():
    found = commands()
    assert len(found) > 40
    for command in found:
        addition(command)


def test_what_is_run_elsewhere_is_there():
    for name in (
        "pointcept/test_pretrainers.py",
        "pointcept/test_upstream.py",
        "pointcept/test_config_deviations.py",
        "tools/ablation/test_runs.py",
        "tools/test_results_page.py",
    ):
        assert (ROOT / "tests" / name).is_file(), name


def test_no_line_is_left_over():
    for pattern in SHORT:
        assert any(re.fullmatch(pattern, command) for command in commands()), pattern


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data where the commands look for them."""
    folder = tmp_path_factory.mktemp("readme")
    WRITERS["ScanNetDataset"](folder / "data/scannet")
    for number, split in enumerate(("train", "train", "val", "val")):
        coord, instance = room(number)
        color = np.random.default_rng(number).integers(0, 256, coord.shape).astype(np.uint8)
        write_arrays(folder / f"mosd/{split}/scan{number}", coord=coord, color=color, instance=instance)
        (folder / "FOLDER").mkdir(exist_ok=True)
        write_ply(folder / f"FOLDER/scan{number}.ply", coord, color)
    generated = SyntheticDrivesDataset(split="val", num_scenes=1, transform=[]).get_data(0)
    write_arrays(folder / "pandaset/val/sweep", **{key: generated[key] for key in ("coord", "strength", "instance")})
    return folder


@pytest.mark.slow
def test_every_command_runs(place):
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    weight = dict(rooms="exp/quickstart", drives="exp/pointins/drives", scans="exp/pointins/mosd")
    ran = 0
    for command in commands():
        more = addition(command)
        if more is None:
            continue
        source = next((folder for name, folder in weight.items() if f"seg-{name}" in command), "exp/pointins/mosd")
        line = command.replace("WEIGHT", f"{source}/model/model_last.pth")
        if "ptv3" in command:  # no checkpoint of that size is there
            line = re.sub(r" -w \S+", "", line)
        line = line.replace("-n NAME", "-n full").replace("NAME", "full")
        if "insseg-scans" in command:  # as the comment beside it says
            more += " data_root=mosd grid_size=0.04"
        if ".sh -" in line and " -- " not in line:
            more = f"-- {more}"
        line = re.sub(r"((?:tools|tests)/\w+\.(?:sh|py))", rf"{ROOT}/\1", line)
        line = re.sub(r"grid(.)size(.)0\.00\d", r"grid\1size\g<2>0.04", line)
        quoted = re.sub(r"(\S+=\(\S*\))", r"'\1'", more)
        done = subprocess.run(
            f"{line} {quoted}", shell=True, cwd=place, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{line} {quoted}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        ran += 1
    assert ran > 35 and (place / "exp/quickstart/report.html").is_file() and any(place.glob("out/*.ply"))
