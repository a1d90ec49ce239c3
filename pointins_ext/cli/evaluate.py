"""Label-free instances of a checkpoint beside the geometric baselines, on scenes with known objects.

    pointins evaluate --weight exp/pointins/NAME/model/model_last.pth
    pointins evaluate --weight ... --data FOLDER --split val --grid-size 0.008

Prints class-agnostic scores under both protocols: raw scenes, and dominant planes removed for every method. Every
number is on all raw points.
"""

import json

import numpy as np
import torch
from tqdm import tqdm

from pointins_ext.cli.scenes import add_scene_arguments, load_scenes
from pointins_ext.evaluation.label_free import (
    cluster_offsets,
    components,
    evaluate_label_free,
    hdbscan_instances,
    kmeans_instances,
)
from pointins_ext.files import write_text
from pointins_ext.flags import add_config_argument, at_least, output_file, verb_parser
from pointins_ext.hooks.monitor import mean_direction, offset_accuracy
from pointins_ext.inference import MIN_VOXELS, RADIUS_VOXELS, REACH_VOXELS, load_predictor

COLUMNS = ("ap50", "map", "ap25", "ari", "recall50_touching", "recall50_free")
TITLES = ("AP50", "mAP", "AP25", "ARI", "R50 touch", "R50 free")


METHODS = ("pointins", "kmeans", "hdbscan", "components")


def methods(voxel: float, num_clusters: int) -> dict:
    """Name -> function from a scene's voxels to labels, each with the radius that suits it best on other rooms."""
    reach = REACH_VOXELS * voxel
    size = dict(min_points=MIN_VOXELS, reach=reach)
    return {
        "pointins": lambda v: cluster_offsets(v["coord"], v["offset"], RADIUS_VOXELS * voxel, **size),
        "kmeans": lambda v: kmeans_instances(v["coord"], v["feat"], num_clusters, 1.25 * voxel, **size),
        "hdbscan": lambda v: hdbscan_instances(v["coord"], reach=reach),
        "components": lambda v: components(v["coord"], 1.25 * voxel, **size),
    }


def evaluate(
    predictor, scenes: list[dict], num_clusters: int = 5, names: tuple[str, ...] = METHODS
) -> tuple[dict, dict, dict]:
    """Tables name -> scores for raw scenes and for planes removed, and the accuracy of the offsets on object points.

    Adds `prediction` and `voxels` (what the methods read) to every scene.
    """
    accuracy = []
    for scene in tqdm(scenes, desc="predicting", unit="scene", disable=None):
        prediction = scene["prediction"] = predictor(scene)
        scene["voxels"] = dict(coord=prediction.coord, offset=prediction.offset, feat=prediction.fine_feat)
        coord, instance = torch.as_tensor(scene["coord"]), torch.as_tensor(scene["instance"])
        offset = prediction.raw_offset()
        accuracy.append(
            offset_accuracy(offset, coord, instance)
            | dict(mean_direction=float(mean_direction(offset)), length=float(offset[instance >= 0].norm(dim=1).mean()))
        )
    rules = methods(predictor.grid_size / predictor.scale, num_clusters)
    rules = {name: rules[name] for name in names}
    tables = [
        evaluate_label_free(scenes, rules, planes_off=off, grid_size=predictor.grid_size) for off in (False, True)
    ]
    return *tables, {name: float(np.mean([a[name] for a in accuracy])) for name in accuracy[0]}


def render_table(raw: dict, planes_off: dict) -> str:
    """Both protocols side by side, percent."""
    head = f"{'':12s}" + "".join(f"{t:>10s}" for t in TITLES)
    lines = [f"{'':12s}{'raw scenes':^60s}   {'planes removed':^60s}", head + "   " + head[12:]]
    for name in raw:
        cells = ["".join(f"{100 * table[name][c]:10.1f}" for c in COLUMNS) for table in (raw, planes_off)]
        lines.append(f"{name:12s}" + "   ".join(cells))
    return "\n".join(lines)


def main(argv):
    parser = verb_parser("evaluate", __doc__)
    parser.add_argument("--weight", required=True, help="PointINS pretraining checkpoint")
    add_config_argument(parser)
    add_scene_arguments(parser, split="val", num_scenes=16)
    parser.add_argument("--network", default="teacher", choices=("teacher", "student"))
    parser.add_argument("--num-clusters", type=at_least(1), default=5, help="K of the k-means baseline")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="rows of the tables (all)")
    parser.add_argument("--json", type=output_file, help="write the tables here")
    args = parser.parse_args(argv)
    predictor = load_predictor(args.weight, args.network, config=args.config)
    scenes = load_scenes(args, predictor)
    raw, planes_off, accuracy = evaluate(predictor, scenes, args.num_clusters, args.methods)
    one = next(iter(raw.values()))
    print(f"\n{len(scenes)} scenes, {one['num_objects']} objects, {one['num_touching']} of them touch another\n")
    print(render_table(raw, planes_off))
    print("\noffsets on objects: " + ", ".join(f"{name} {value:.3f}" for name, value in accuracy.items()))
    if args.json:
        content = dict(unsupervised=raw, unsupervised_planes_off=planes_off, offsets=accuracy)
        write_text(args.json, json.dumps(content, indent=1))
