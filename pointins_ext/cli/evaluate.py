"""Label-free instances of a checkpoint beside what needs no offsets, on scenes with known objects.

    pointins evaluate --weight exp/pointins/NAME/model/model_last.pth
    pointins evaluate --weight ... --data FOLDER --split val --grid-size 0.008

Prints class-agnostic scores of raw scenes, and with the dominant planes removed. On raw scenes every plane is an
instance of its own for PointINS, and for the rivals in the rows "+ planes". Every number is on all raw points. The
parameters of the rivals are those of pointins_ext/instances/rivals.json, chosen on training scans by
tools/tune_rivals.py.
Then the average precision of the instances' upright boxes, planes apart, at IoU 0.25 and 0.5 with those of the objects'
points, which end where the visible part does. Instances are ranked by their score, those of a rival by size.
"""

import json
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from pointins_ext.cli.scenes import add_scene_arguments, load_scenes
from pointins_ext.errors import notice
from pointins_ext.evaluation.boxes import evaluate_boxes
from pointins_ext.evaluation.label_free import evaluate_label_free
from pointins_ext.files import write_text
from pointins_ext.flags import add_config_argument, at_least, output_file, verb_parser
from pointins_ext.hooks.monitor import mean_direction, offset_accuracy
from pointins_ext.inference import load_predictor
from pointins_ext.instances.rivals import off_planes, rival, with_planes
from pointins_ext.ops import as_array, plane_numbers

COLUMNS = ("ap50", "map", "ap25", "ari", "recall50_touching", "recall50_free")
TITLES = ("AP50", "mAP", "AP25", "ARI", "R50 touch", "R50 free")
WIDTH = 21

METHODS = ("pointins", "kmeans", "hdbscan", "components")
RIVALS = Path(__file__).parents[1] / "instances/rivals.json"
OTHER_DATA = "rooms"  # whose parameters serve data without their own


def stored_rivals() -> dict:
    """Data set -> rival -> `raw` and `apart` -> its parameters and their scores on training scenes."""
    return json.loads(RIVALS.read_text(encoding="utf-8"))


def rival_parameters(data: str, names=METHODS) -> dict:
    """Rival -> its parameters stored for this data set, else, with a notice, for rooms; `data` names which."""
    stored = stored_rivals()
    names = [name for name in names if name != "pointins"]
    missing = [name for name in names if name not in stored.get(data, {})]
    if missing:
        notice(
            "the rivals' parameters",
            f"{', '.join(missing)} on {data}: no parameters are stored, those of {OTHER_DATA} are used "
            f"({RIVALS.name} has {', '.join(stored)}; tools/tune_rivals.py chooses them on labeled training scans)",
        )
    source = {name: OTHER_DATA if name in missing else data for name in names}
    return {name: stored[source[name]][name] | dict(data=source[name]) for name in names}


def rival_rules(voxel: float, parameters: dict) -> dict:
    """Rival -> functions of a scene's voxels: for raw scenes, and for what is not on a plane. `voxel`: edge, meters."""
    rules = {}
    for name, chosen in parameters.items():
        rules[name] = tuple(rival(name, voxel, **chosen[kind]["parameters"]) for kind in ("raw", "apart"))
    return rules


def label_scene(voxels: dict, rules: dict, voxel: float) -> None:
    """Add the labels of every rival, each clustered once: NAME, NAME_planes and NAME_apart (-1 on planes)."""
    plane, labels = voxels["plane"], {}
    for name, (raw, rest) in rules.items():
        labels[name], labels[f"{name}_apart"] = raw(voxels), off_planes(rest, voxels, plane)
        labels[f"{name}_planes"] = with_planes(labels[f"{name}_apart"], voxels["coord"], plane, voxel)
    voxels |= labels


def label_pointins(voxels: dict, found) -> None:
    """Add the same three labels, and the scores, of the `Instances` found, whose planes are always instances."""
    label = found.label
    on_plane = voxels["plane"] | np.append(found.stuff, False)[label]  # the last entry serves -1
    voxels |= dict(pointins=label, pointins_planes=label, pointins_apart=np.where(on_plane, -1, label))
    voxels["pointins_score"] = np.append(found.score, 0)[label]  # of every voxel


def pointins_score(voxels: dict, label) -> np.ndarray:
    """Scores (P,) of labels (V,), 0..P-1: those that `label_pointins` has found."""
    member = label >= 0
    return np.bincount(label[member], voxels["pointins_score"][member]) / np.bincount(label[member]).clip(min=1)


SCORES = dict(pointins=pointins_score)  # the rivals' is the size


def evaluate(predictor, scenes: list[dict], parameters: dict, names: tuple[str, ...] = METHODS) -> tuple[dict, dict]:
    """Tables protocol -> name -> scores, and the accuracy of the offsets on object points.

    parameters: as `rival_parameters` gives them. Adds `prediction`, `voxels` (with the labels) and,
    of pointins, the `found` instances to every scene.
    """
    accuracy = []
    voxel = predictor.grid_size / predictor.scale
    rules = rival_rules(voxel, parameters)
    for scene in tqdm(scenes, desc="instances", unit="scene", disable=None):
        prediction = scene["prediction"] = predictor(scene)
        number = as_array(plane_numbers(torch.as_tensor(prediction.coord)))
        scene["voxels"] = dict(coord=prediction.coord, feat=prediction.feat, plane=number > 0)
        if "pointins" in names:
            scene["found"] = prediction.find(plane=number)
            label_pointins(scene["voxels"], scene["found"])
        label_scene(scene["voxels"], {name: rules[name] for name in rules if name in names}, voxel)
        coord, instance = torch.as_tensor(scene["coord"]), torch.as_tensor(scene["instance"])
        offset = prediction.raw_offset()
        accuracy.append(
            offset_accuracy(offset, coord, instance)
            | dict(mean_direction=float(mean_direction(offset)), length=float(offset[instance >= 0].norm(dim=1).mean()))
        )

    def table(suffix, planes_off=False):
        labels = {name: itemgetter(name + suffix) for name in names}
        return evaluate_label_free(scenes, labels, planes_off, predictor.grid_size, scores=SCORES)

    tables = dict(
        unsupervised=table(""),
        unsupervised_with_planes=table("_planes"),
        unsupervised_planes_off=table("_apart", planes_off=True),
    )
    return tables, {name: float(np.mean([a[name] for a in accuracy])) for name in accuracy[0]}


def render_table(tables: dict) -> str:
    """Raw scenes and planes removed side by side, percent; + planes: raw scenes, each plane an instance of its own."""
    head = "".join(f"{t:>10s}" for t in TITLES)
    lines = [f"{'':{WIDTH}s}{'raw scenes':^60s}   {'planes removed':^60s}", f"{'':{WIDTH}s}{head}   {head}"]
    for name in tables["unsupervised"]:
        raw, apart, off = (_cells(table[name]) for table in tables.values())
        lines.append(f"{name:{WIDTH}s}{raw}   {off}")
        if name != "pointins":  # whose planes are instances in any case
            lines.append(f"{name + ' + planes':{WIDTH}s}{apart}")
    return "\n".join(lines)


def render_boxes(boxes: dict) -> str:
    """A line for each method: box AP at IoU 0.25 and 0.5, percent."""
    head = f"{'planes apart':{WIDTH}s}{'box25':>10s}{'box50':>10s}"
    return "\n".join(
        [head, *(f"{n + ' boxes':{WIDTH}s}{100 * s['box25']:10.1f}{100 * s['box50']:10.1f}" for n, s in boxes.items())]
    )


def _cells(scores: dict) -> str:
    return "".join(f"{100 * scores[c]:10.1f}" for c in COLUMNS)


def render_parameters(parameters: dict) -> str:
    """A line for each rival: its parameters on raw scenes and where planes are apart."""
    lines = []
    for name, chosen in parameters.items():
        parts = (" ".join(f"{k} {v:g}" for k, v in chosen[kind]["parameters"].items()) for kind in ("raw", "apart"))
        lines.append(f"{name} ({chosen['data']}): {'; planes apart: '.join(parts)}")
    return "\n".join(lines)


def main(argv):
    parser = verb_parser("evaluate", __doc__)
    parser.add_argument("--weight", required=True, help="PointINS pretraining checkpoint")
    add_config_argument(parser)
    add_scene_arguments(parser, split="val", num_scenes=16)
    parser.add_argument("--network", default="teacher", choices=("teacher", "student"))
    parser.add_argument("--num-clusters", type=at_least(1), help="K of the k-means rival (default: the one stored)")
    parser.add_argument(
        "--rivals", choices=sorted(stored_rivals()), help="whose parameters they take (default: --data)"
    )
    parser.add_argument(
        "--without", nargs="+", default=(), choices=("color", "normal", "strength"), help="as if no scan had them"
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="rows of the tables (all)")
    parser.add_argument("--json", type=output_file, help="write the tables here")
    args = parser.parse_args(argv)
    predictor = load_predictor(args.weight, args.network, config=args.config)
    scenes = load_scenes(args, predictor)
    for scene in scenes:
        for channel in args.without:
            scene.pop(channel, None)
    parameters = rival_parameters(args.rivals or Path(args.data).resolve().name, args.methods)
    if args.num_clusters and "kmeans" in parameters:
        for chosen in ("raw", "apart"):
            parameters["kmeans"][chosen]["parameters"]["num_clusters"] = args.num_clusters
    tables, accuracy = evaluate(predictor, scenes, parameters, args.methods)
    boxes = evaluate_boxes(scenes, {name: itemgetter(f"{name}_apart") for name in args.methods}, SCORES)
    one = next(iter(tables["unsupervised"].values()))
    print(f"\n{len(scenes)} scenes, {one['num_objects']} objects, {one['num_touching']} of them touch another\n")
    print(render_table(tables))
    print(f"\n{render_boxes(boxes)}")
    print("\noffsets on objects: " + ", ".join(f"{name} {value:.3f}" for name, value in accuracy.items()))
    if parameters:
        print(f"\nparameters of the rivals, lengths in voxels:\n{render_parameters(parameters)}")
    if args.json:
        write_text(args.json, json.dumps(tables | dict(boxes=boxes, offsets=accuracy), indent=1))
