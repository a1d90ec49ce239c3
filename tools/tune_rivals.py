"""Choose the parameters of the rivals of label-free instances on labeled training scenes, never on those scored later.

    python tools/tune_rivals.py --weight exp/quickstart/model/model_last.pth --data rooms --seed 100
    python tools/tune_rivals.py --weight ... --data FOLDER --grid-size 0.008 --name mosd

Of a small grid, the parameters with the best mAP + AP50 on raw scenes, and the best where the planes are apart
(removed; the same serve where each plane is an instance of its own), are written to pointins_ext/instances/rivals.json
with this command; `pointins evaluate` reads them there. Smaller predictions than 100 raw points never count.
The weight gives the voxel and, for k-means, the features.
"""

import argparse
import itertools
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pointins_ext.cli.evaluate import METHODS, RIVALS
from pointins_ext.cli.scenes import add_scene_arguments, load_scenes
from pointins_ext.errors import UserError, exit_on_user_error
from pointins_ext.evaluation.instance import InstanceAveragePrecision
from pointins_ext.evaluation.label_free import on_planes
from pointins_ext.files import write_text
from pointins_ext.flags import output_file
from pointins_ext.inference import load_predictor
from pointins_ext.instances.rivals import CLUSTERINGS, tidy
from pointins_ext.ops import as_array

MIN_POINTS = 100  # smallest object and prediction that count, as in the evaluation
# rival -> values of its clustering, and of what becomes of small clusters and leftovers; lengths in voxels
GRIDS = {
    "components": (
        dict(radius=(1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0)),
        dict(min_points=(20, 50, 100), reach=(0.0, 3.0)),
    ),
    "hdbscan": (
        dict(min_cluster_size=(10, 20, 60, 120, 240, 480), min_samples=(5, 15)),
        dict(reach=(0.0, 3.0, 6.0, 10.0)),
    ),
    "kmeans": (
        dict(num_clusters=(2, 3, 5, 10, 20), radius=(1.25, 1.75, 2.5, 4.0)),
        dict(min_points=(20, 50), reach=(3.0,)),
    ),
}


def combinations(grid: dict) -> list[dict]:
    """Every choice of one value for each name."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def clusterings(name: str, voxels: dict, voxel: float):
    """Parameters and clusters (V,) for every point of the rival's grid."""
    if name == "hdbscan":
        yield from hdbscan_sizes(as_array(voxels["coord"]), **GRIDS[name][0])
        return
    for chosen in combinations(GRIDS[name][0]):
        yield chosen, CLUSTERINGS[name](voxels, voxel, **chosen)


def hdbscan_sizes(coord: np.ndarray, min_cluster_size, min_samples):
    """`hdbscan_instances` for every combination: one hierarchy, which takes nearly all the time, serves all sizes."""
    from sklearn.cluster import HDBSCAN
    from sklearn.cluster._hdbscan._tree import tree_to_labels  # it has no public name

    for samples in min_samples:
        tree = None
        if len(coord) > samples:
            model = HDBSCAN(min_samples=samples, algorithm="kd_tree", n_jobs=1, copy=True).fit(coord)
            tree = model._single_linkage_tree_
        for size in min_cluster_size:
            fits = tree is not None and len(coord) >= size
            label = tree_to_labels(tree, size)[0].astype(np.int64) if fits else np.full(len(coord), -1)
            yield dict(min_cluster_size=size, min_samples=samples), label


def label_all(name: str, voxels: dict, voxel: float):
    """Parameters, `raw` or `apart` (-1 on planes), and labels (V,), for every point of the rival's grid."""
    coord, plane = voxels["coord"], voxels["plane"]
    off_plane = {key: value[~plane] for key, value in voxels.items()}
    pairs = zip(clusterings(name, voxels, voxel), clusterings(name, off_plane, voxel), strict=True)
    for ((chosen, whole), (_, rest)), finish in itertools.product(pairs, combinations(GRIDS[name][1])):
        yield chosen | finish, "raw", tidy(whole, coord, voxel, **finish)
        label = np.full(len(coord), -1)
        label[~plane] = tidy(rest, coord[~plane], voxel, **finish)
        yield chosen | finish, "apart", label


def quality(scores: dict) -> float:
    """What is compared: mAP and AP50 together, as the best mAP alone may come from few objects with sharp borders."""
    return scores["map"] + scores["ap50"]


def choose(predictor, scenes: list[dict], names) -> dict:
    """Rival -> `raw` and `apart` -> the parameters of the best `quality`, and their scores."""
    precision, voxel = {}, predictor.grid_size / predictor.scale
    for scene in tqdm(scenes, desc="tuning", unit="scene", disable=None):
        prediction = predictor(scene)
        voxels = dict(coord=prediction.coord, feat=prediction.feat, plane=on_planes(prediction.coord))
        for name in names:
            for parameters, kind, label in label_all(name, voxels, voxel):
                key = (name, kind, tuple(parameters.items()))
                if key not in precision:
                    precision[key] = InstanceAveragePrecision(class_agnostic=True, min_points=MIN_POINTS)
                precision[key].update({"instance": label[prediction.nearest]}, {"instance": scene["instance"]})
    best: dict = {name: {} for name in names}
    for (name, kind, parameters), metric in precision.items():
        scores = {key: round(float(value), 4) for key, value in metric.compute().items() if key in ("map", "ap50")}
        if kind not in best[name] or quality(scores) > quality(best[name][kind]):
            best[name][kind] = dict(parameters=dict(parameters), **scores)
    return best


def read_stored(path) -> dict:
    """What an earlier call wrote to this file, {} where there is none. ValueError for a file of something else."""
    if not Path(path).is_file():
        return {}
    try:
        stored = json.loads(Path(path).read_text(encoding="utf-8"))
        own = all("command" in entry for rivals in stored.values() for entry in rivals.values())
    except (ValueError, AttributeError, TypeError):
        own = False
    if not own:
        raise UserError(f"{path}: no file of this tool (data set -> rival -> parameters); give another --output")
    return stored


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weight", required=True, help="PointINS pretraining checkpoint")
    add_scene_arguments(parser, split="train", num_scenes=16)
    parser.add_argument("--name", help="of the data set in the file (default: that of --data)")
    parser.add_argument("--methods", nargs="+", choices=METHODS[1:], default=METHODS[1:], help="rivals (all)")
    parser.add_argument("--output", type=output_file, default=RIVALS, help="file to add to (default rivals.json)")
    args = parser.parse_args()
    stored = read_stored(args.output)
    predictor = load_predictor(args.weight)
    scenes = load_scenes(args, predictor)[: args.num_scenes]  # of a folder, too
    command = " ".join(["python tools/tune_rivals.py", *sys.argv[1:]])
    entry = stored.setdefault(args.name or Path(args.data).resolve().name, {})
    for name, best in choose(predictor, scenes, args.methods).items():
        entry[name] = best | dict(scenes=len(scenes), voxel=predictor.grid_size, command=command)
        print(f"{name}: {json.dumps(best)}")
    write_text(args.output, json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    exit_on_user_error(main)
