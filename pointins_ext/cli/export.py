"""The backbone of a pretraining checkpoint alone, in the layout of those who load it, or all of it at a fifth the size.

    pointins export --weight exp/pointins/NAME/model/model_last.pth --out backbone.pth
    pointins export --weight ... --out sonata.pth --layout sonata --network student
    pointins export --weight ... --out NAME.safetensors --layout whole

Layouts: pointcept (downstream configs with keywords="module.student.backbone" load it as it is), sonata (sonata.load of
facebookresearch/sonata), torch-pointcloud (checkpoint_path= of its create_model, **config as further arguments); these
files also say which network they hold (`network`). whole: both networks with their heads in half precision and the
config, without the state of the optimizer; every --weight and -w takes it, as it takes "indoor".
"""

from pathlib import Path

from pointins_ext import weights
from pointins_ext.checkpoint import match_weight, read_checkpoint, save_checkpoint, save_half
from pointins_ext.checkpoint.layouts import LAYOUTS, backbone_config, backbone_weight
from pointins_ext.errors import UserError
from pointins_ext.flags import add_config_argument, output_file, verb_parser
from pointins_ext.host import build_model
from pointins_ext.host.flash import disable_flash
from pointins_ext.inference import experiment_config
from pointins_ext.inference.load import require_pretraining

WHOLE = "whole"
OF_A_RUN = ("save_path", "weight", "resume", "wandb_key")  # nobody else's concern


def arguments(argv):
    parser = verb_parser("export", __doc__)
    parser.add_argument("--weight", required=True, help="pretraining checkpoint of either host")
    parser.add_argument("--out", required=True, type=output_file, help="file to write")
    parser.add_argument("--network", default="teacher", choices=("teacher", "student"))
    parser.add_argument("--layout", default="pointcept", choices=(*LAYOUTS, WHOLE))
    add_config_argument(parser)
    return parser.parse_args(argv)


def export(weight: str, network: str, layout: str, config: str | None = None) -> dict:
    """Content of the file to write. Raises ValueError or FileNotFoundError if checkpoint or config do not serve."""
    checkpoint = read_checkpoint(weight)
    backbone = backbone_weight(checkpoint["state_dict"], network, weight)
    cfg = experiment_config(checkpoint, weight, config).to_dict()
    arguments = backbone_config(cfg["model"], network, config or weight)
    check(backbone, arguments, weight)
    return dict(LAYOUTS[layout](backbone, arguments), network=network)


def check(backbone: dict, arguments: dict, weight: str) -> None:
    """Raises ValueError unless the tensors are exactly those of the backbone that the config describes."""
    model = dict(backbone=dict(arguments))
    disable_flash(model)
    match_weight(build_model(model["backbone"]).state_dict(), backbone, f"{weight} beside its config", strict=True)


def export_whole(weight: str, out: Path, config: str | None = None) -> int:
    """Writes the layout `whole` of a pretraining checkpoint to `out`; returns the number of parameters."""
    if out.suffix != ".safetensors":
        raise UserError(
            f"--out {out}: layout {WHOLE} is written as .safetensors; name {out.with_suffix('.safetensors')}"
        )
    checkpoint = read_checkpoint(weight)
    require_pretraining(checkpoint["state_dict"], weight)
    cfg = experiment_config(checkpoint, weight, config).to_dict()
    tensors = {name.removeprefix("module."): value for name, value in checkpoint["state_dict"].items()}
    save_half(tensors, {key: value for key, value in cfg.items() if key not in OF_A_RUN}, out)
    return sum(value.numel() for value in tensors.values())


def main(argv):
    args = arguments(argv)
    out = Path(args.out)
    if out.absolute() == Path(args.weight).absolute():
        raise UserError(f"--out {out} is the checkpoint itself; give a new file")
    if args.layout == WHOLE:
        parameters, what = export_whole(args.weight, out, args.config), "both networks"
    else:
        content = export(args.weight, args.network, args.layout, args.config)
        out.parent.mkdir(parents=True, exist_ok=True)
        save_checkpoint(content, out)
        parameters, what = sum(value.numel() for value in content["state_dict"].values()), f"{args.network} backbone"
    before, after = (Path(path).stat().st_size / 2**20 for path in (weights.located(args.weight), out))
    print(
        f"Wrote {out}: {what} of {args.weight}, layout {args.layout}, {parameters / 1e6:.2f} M "
        f"parameters, {before:.1f} -> {after:.1f} MiB"
    )
