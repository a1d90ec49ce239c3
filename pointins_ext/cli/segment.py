"""Instances of a scan, or of every scan in a folder, from a pretrained PointINS network; no label is needed.

    pointins segment --input scan.ply --output out.ply
    pointins segment --input FOLDER --output FOLDER --up y --view
    pointins segment --weight exp/quickstart/model/model_last.pth --input ... --output ...

Without --weight the weights that the package ships are taken, "outdoor" for scans without colors that are wider than
any room, else "indoor"; it is printed which. `pointins doctor --weight indoor` prints what they are good for.
Coordinates are meters, or in the unit of --grid-size; without it the voxel follows from spacing and extent of each
scan, and is printed. z must point up, or --up names the axis that does; results stay in the frame of the file. Signs
of another axis or unit are reported. Results below the folder, and --output, are not taken for scans.

Writes for each scan a colored .ply (fields instance, offset_x/y/z), an .npz, the boxes as .boxes.json, which states
its conventions, and a .png; with --view also an .html, the scan in 3D. The .npz has, for all points of the file in its
order, instance and offset (-1 and NaN at points without coordinates, which the .ply leaves out), and for each instance
center, score, stuff (a floor, wall, or other plane), box_center, box_size and box_yaw. The score, 0 to 1, grows with an
instance's voxels, less the more speaks for joining it to a neighbor.

A checkpoint that was trained on labels (PG-v1m2, PanSeg-v1m1, DefaultSegmentorV2, of either host) gives classes, too:
fields segment, instance; in the .npz segment and class_names, and, but for DefaultSegmentorV2, instance, category,
score and center. The whole scan is one pass, prepared as the validation scenes of its experiment.
"""

import functools
import importlib.util
import os
import sys
import webbrowser
from collections import Counter
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pointins_ext.branch import GraphRule
from pointins_ext.cli.labeled import check_flags, label_scan
from pointins_ext.cli.scan_files import file_coord, open_scan, write_picture
from pointins_ext.datasets.readers import READERS, read_scan, write_ply
from pointins_ext.datasets.tree import RESULT, find_scans
from pointins_ext.datasets.upright import UPS
from pointins_ext.errors import UserError, notice
from pointins_ext.files import require_output_file, whole_file
from pointins_ext.flags import add_config_argument, at_least, positive, verb_parser
from pointins_ext.inference import FinetunedPredictor, at_all_points, fit, load_predictor, load_segmenter
from pointins_ext.instances import MIN_VOXELS, instance_centers, oriented_boxes
from pointins_ext.submission.boxes import write_boxes
from pointins_ext.visualization import instance_colors, write_viewer
from pointins_ext.weights import fitting


def arguments(argv):
    parser = verb_parser("segment", __doc__)
    weight = "indoor, outdoor, a pretraining checkpoint, or one trained on labels (default: what suits each scan)"
    parser.add_argument("--weight", help=weight)
    add_config_argument(parser)
    parser.add_argument("--input", required=True, help="scan file, scene folder, or a folder of either")
    parser.add_argument("--output", required=True, help="OUT.ply for one scan, a folder for several")
    parser.add_argument("--grid-size", type=positive, help="voxel of the scans in meters (default: what suits each)")
    up = "axis of the scans that points up; auto: what the largest plane says (default: z, and a warning if it is not)"
    parser.add_argument("--up", choices=UPS, metavar="|".join(UPS), help=up)
    parser.add_argument(
        "--radius",
        type=positive,
        help=f"joins voxels up to so many meters apart (default: {GraphRule.radius:g} voxels)",
    )
    size = "smallest instance, in voxels (default: %(default)s)"
    parser.add_argument("--min-points", type=at_least(0), default=MIN_VOXELS, help=size)
    network = "whose offsets (default: %(default)s)"
    parser.add_argument("--network", default="teacher", choices=("teacher", "student"), help=network)
    parser.add_argument("--no-picture", action="store_true", help="skip the .png (needs no matplotlib then)")
    parser.add_argument("--view", action="store_true", help="write an .html with the scan in 3D; of one scan, open it")
    return parser.parse_args(_with_value(list(argv), "--up"))


def _with_value(argv, flag):
    """The arguments with `flag` and the next in one: argparse takes -y for a flag of its own."""
    if flag in argv[:-1]:
        i = argv.index(flag)
        argv[i : i + 2] = [f"{flag}={argv[i + 1]}"]
    return argv


def check_extras(args) -> None:
    """Leave pictures out, and say so, if matplotlib is missing. Raises ImportError if plotly is, and --view asked."""
    if args.view and importlib.util.find_spec("plotly") is None:
        raise ImportError("--view needs plotly: pip install 'pointins_ext[viz]'")
    if not args.no_picture and importlib.util.find_spec("matplotlib") is None:
        notice("pictures", "no .png is written, matplotlib is missing: pip install 'pointins_ext[viz]'")
        args.no_picture = True


def jobs(source: str, output: str) -> list[tuple[str, Path]]:
    """(scan, .ply to write) for one scan or every scan below a folder. Raises ValueError if it would replace one."""
    work = _targets(source, output)
    scans = {os.path.abspath(scan) for scan, _ in work}
    for _, target in work:
        for path in (target, target.with_suffix(".npz"), target.with_suffix(".boxes.json")):
            require_output_file(path)
            if os.path.abspath(path) in scans:
                raise UserError(f"--output {output} would write over the scan {path}; give another place")
    return work


def _targets(source: str, output: str) -> list[tuple[str, Path]]:
    scans = find_scans(source)
    if os.path.isdir(source) and os.path.realpath(source) != os.path.realpath(output):
        scans = _outside(scans, source, output)
    if not scans:
        if not os.path.isdir(source):
            read_scan(source)  # a file of an unknown kind, or nothing at all: the reader's message says what is known
        raise FileNotFoundError(f"{source}: no scans in this folder; expected {' '.join(READERS)} or coord.npy")
    if scans == [source] or scans == [source.rstrip("/")]:
        target = Path(output)
        return [(scans[0], target if target.suffix == ".ply" else target / f"{Path(source).stem}.ply")]
    if Path(output).suffix == ".ply":
        raise UserError(f"--output {output} is one file, but {source} holds {len(scans)} scans; give a folder")
    names = [Path(os.path.relpath(scan, source)) for scan in scans]
    count = Counter(name.with_suffix("") for name in names)
    # a.ply and a.npz side by side keep their suffixes, else one would write over the other
    names = [name if count[name.with_suffix("")] == 1 else name.with_name(f"{name.name}.ply") for name in names]
    return [(scan, Path(output) / name.with_suffix(".ply")) for scan, name in zip(scans, names, strict=True)]


def _outside(scans: list[str], source: str, output: str) -> list[str]:
    """Scans that do not lie in the folder `output`."""
    folder = Path(os.path.realpath(output))
    kept = [scan for scan in scans if folder not in Path(os.path.realpath(scan)).parents]
    if len(kept) < len(scans):
        notice("what is left out", f"{source}: {len(scans) - len(kept)} left out (in the folder of --output): {output}")
    return kept


class Fitting:
    """The shipped weights that suit each scan; loaded once, when a scan needs them."""

    def __init__(self, args):
        self.load = functools.cache(lambda name: load_predictor(name, args.network, grid_size=args.grid_size))

    def __call__(self, scene: dict, say):
        name, reason = fitting(scene)
        say(f"weights: {name}, {reason}; --weight names others")
        return self.load(name)


def segment_scan(predictor, scan: str, target: Path, args, say=print) -> str:
    """Writes the results of one scan next to `target`; returns what was found in words.

    predictor: a `Predictor`, or `Fitting`. say: prints a line.
    """
    scene, turn, upright = open_scan(scan, args.up)
    if isinstance(predictor, Fitting):
        predictor = predictor(scene, say)
    fitted = fit(predictor, upright["coord"], scan, args.up, say)
    try:
        prediction = fitted(upright)
    except ValueError as error:
        raise UserError(f"{scan}: {error}") from error
    found = prediction.find(args.radius, args.min_points)
    if not len(found.score):
        notice("empty results", f"{scan}: {prediction.why_nothing(args.radius, args.min_points)}")
    instance = found.label[prediction.nearest]
    offset, color = prediction.raw_offset().numpy(), instance_colors(instance)
    write_tables(target, scene, turn, found, instance, offset, color)
    if not args.no_picture:
        write_picture(target.with_suffix(".png"), upright, [f"{len(found.score)} instances"], [color])
    if args.view:
        page = dict(coord=upright["coord"], color=upright["color"], predicted=instance, name=target.stem)
        page |= dict(offset=offset, score=found.score, stuff=found.stuff)
        write_viewer(target.with_suffix(".html"), [page], title=f"Instances of {Path(scan).name}")
    planes = np.count_nonzero(found.stuff)
    return f"{len(found.score)} instances, {planes} of them planes" if planes else f"{len(found.score)} instances"


def write_tables(target: Path, scene: dict, turn, found, instance, offset, color) -> None:
    """The .ply, .npz and .boxes.json of a scene at `target`: instance (N,), upright offset (N,3), and color (N,3).

    `turn` (3,3) has made the scene upright. Boxes are upright; all else is in the frame of the file.
    """
    coord = file_coord(scene)
    boxes = oriented_boxes(coord @ turn.T, instance)
    offset = offset @ turn.astype(np.float32)
    fields = {f"offset_{axis}": offset[:, i] for i, axis in enumerate("xyz")}
    write_ply(target, coord, color, comment=RESULT, instance=instance, **fields)
    number = np.bincount(instance[instance >= 0], minlength=len(found.score))
    write_boxes(target.with_suffix(".boxes.json"), boxes, found.score, number, found.stuff, turn)
    with whole_file(target.with_suffix(".npz")) as stream:
        np.savez_compressed(
            stream,
            instance=at_all_points(instance, scene, -1),
            offset=at_all_points(offset, scene, np.nan),
            center=instance_centers(scene["coord"], instance).numpy() + scene["coord_shift"],
            score=found.score.astype(np.float32),
            stuff=found.stuff,
            box_center=boxes.center,
            box_size=boxes.size,
            box_yaw=boxes.yaw,
        )


def open_page(page: Path) -> None:
    """Opens a page in the desktop's browser, where there is a desktop: a text browser would take the terminal."""
    print(f"view: {page}")
    if sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(page.absolute().as_uri())


def main(argv):
    args = arguments(argv)
    check_extras(args)
    work = jobs(args.input, args.output)
    if args.config and args.weight is None:
        raise UserError(f"--config {args.config} describes a checkpoint, but --weight names none")
    if args.weight is None:
        predictor = Fitting(args)
    else:
        predictor = load_segmenter(args.weight, args.network, grid_size=args.grid_size, config=args.config)
    write = segment_scan
    if isinstance(predictor, FinetunedPredictor):
        check_flags(predictor, args)
        write = label_scan
    progress = tqdm(work, unit="scan", disable=len(work) == 1 or None)
    for scan, target in progress:
        found = write(predictor, scan, target, args, progress.write)
        progress.write(f"{scan}: {found} -> {target}")
    if args.view and len(work) == 1:
        open_page(work[0][1].with_suffix(".html"))
    elif args.view:
        print(f"view: {len(work)} pages, an .html beside each .ply in {args.output}")
