"""Instances of a room and of a street that this command makes itself, with the weights that the package ships.

    pointins demo [--output exp/demo] [--seed 0]

Nothing is downloaded and nothing trained. Writes the scans, room.npz and street.npz, and for each of them what
`pointins segment` writes; with the extra `viz` also the pictures and the pages in 3D.
"""

import importlib.util
from pathlib import Path

import numpy as np

from pointins_ext.cli import segment
from pointins_ext.datasets.drives import generate_drive
from pointins_ext.datasets.rooms import generate_room
from pointins_ext.files import whole_file
from pointins_ext.flags import at_least, output_folder, verb_parser

SCENES = dict(room=generate_room, street=generate_drive)
CHANNELS = ("coord", "color", "normal", "strength")


def arguments(argv):
    parser = verb_parser("demo", __doc__)
    parser.add_argument("--output", type=output_folder, default="exp/demo", help="folder for everything")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of both scenes")
    return parser.parse_args(argv)


def write_scans(folder: Path, seed: int) -> None:
    """NAME.npz of every one of SCENES in `folder`, without its labels; says how many objects it has."""
    for name, generate in SCENES.items():
        scene = generate(seed)
        with whole_file(folder / f"{name}.npz") as stream:
            np.savez_compressed(stream, **{key: scene[key] for key in CHANNELS if key in scene})
        print(f"{folder / name}.npz: {len(scene['coord']):,} points, {scene['instance'].max() + 1} objects", flush=True)


def main(argv):
    args = arguments(argv)
    scans, out = Path(args.output) / "scans", Path(args.output)
    write_scans(scans, args.seed)
    view = ["--view"] if importlib.util.find_spec("plotly") else []
    for name in SCENES:
        segment.main(["--input", f"{scans / name}.npz", "--output", f"{out / name}.ply", *view])
    if not view:
        print("the pages in 3D need plotly: pip install 'pointins_ext[viz]'")
    print("Your own scan:  pointins segment --input SCAN.ply --output out.ply")
