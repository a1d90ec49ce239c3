"""Offline study of the offset targets: what ODR and SCR make of a checkpoint's offsets, against known centers.

    pointins study --weight exp/pointins/NAME/model/model_last.pth [--data FOLDER]
    pointins study --weight model/epoch_3.pth model/epoch_20.pth --num-clusters 1 5 --radius 0.08 0.12

Minutes that predict a training run: the scenes are cropped and augmented as in training, and every way to make targets
gets the same crops. Printed are, as means over scenes with a 95 % interval: the cosine of the targets to the centers of
the whole objects and the agreement (ARI) of the pseudo-instances with the objects; and the cosine on objects that their
crop cuts, the error in meters, the median ratio of target to true length, the share of object voxels that get a target
(by size of the object: under 40, under 150, more loss voxels), the share of all targets that lie on no object, and how
far apart two views see one and the same center, on objects and elsewhere.
"""

import json
import math
import os

import numpy as np
from scipy.stats import t as student
from tqdm import tqdm

from pointins_ext.branch import MagnitudePrior
from pointins_ext.branch.scr import FEATURES
from pointins_ext.branch.targets import offset_targets
from pointins_ext.checkpoint import read_checkpoint, require_checkpoint
from pointins_ext.cli.scenes import add_scene_arguments, open_dataset
from pointins_ext.cli.study_rows import kmeans_grid, variants
from pointins_ext.evaluation.targets import score_targets
from pointins_ext.files import write_text
from pointins_ext.flags import add_config_argument, at_least, output_file, positive, verb_parser
from pointins_ext.hooks import presets
from pointins_ext.inference.crops import training_crops
from pointins_ext.inference.load import best_device, build_network, experiment_config, require_pretraining
from pointins_ext.inference.predictor import Predictor, first_transform

COLUMNS = ("cosine", "ari", "cosine_cut", "error", "ratio", "kept", "kept_small", "kept_medium", "kept_large")
COLUMNS += ("stuff", "apart", "apart_stuff")
WITH_INTERVAL = ("cosine", "ari")
NARROW, WIDE = 12, 17  # characters of a column


def arguments(argv):
    parser = verb_parser("study", __doc__)
    parser.add_argument(
        "--weight", required=True, nargs="+", help="PointINS pretraining checkpoints, as of several ages"
    )
    add_config_argument(parser)
    add_scene_arguments(parser, split="train", num_scenes=12)
    parser.add_argument("--draws", type=at_least(1), default=3, help="crops of every scene (default %(default)s)")
    parser.add_argument(
        "--preset", default="indoor", choices=("indoor", "outdoor"), help="of SCR (default %(default)s)"
    )
    parser.add_argument(
        "--prior", help="of ODR: indoor, outdoor or a file (default: prior.json of the experiment, else the preset's)"
    )
    kmeans = presets.SCR["kmeans"]
    parser.add_argument("--num-clusters", type=at_least(1), nargs="+", default=[kmeans["num_clusters"]], help="K")
    parser.add_argument("--feature", nargs="+", default=[kmeans["feature"]], choices=FEATURES, help="of K-means")
    parser.add_argument("--radius", type=positive, nargs="+", help="of K-means, meters of the network (preset's)")
    parser.add_argument("--json", type=output_file, help="write all means and intervals there, too")
    args = parser.parse_args(argv)
    args.radius = args.radius or [presets.SCR[presets.KMEANS[args.preset]]["radius"]]
    return args


def study(model, dataset, indices, draws: int, seed: int, rows: dict[str, list]) -> dict[str, dict[str, list]]:
    """Scores of every row: name -> column -> mean over the draws of each scene, NaN where there is nothing to score."""
    table = {name: {column: {} for column in COLUMNS} for name in rows}
    crops = training_crops(model, dataset, indices, draws, seed)
    for crop in tqdm(crops, total=len(indices) * draws, desc="crops", unit="crop"):
        for name, regularizers in rows.items():
            target = offset_targets(crop.field, regularizers)
            for column, value in score_targets(target, crop.instance, crop.center, crop.visible).items():
                table[name][column].setdefault(crop.scene, []).append(value)
    return {
        name: {column: [mean(scores) for scores in scenes.values()] for column, scenes in columns.items()}
        for name, columns in table.items()
    }


def mean(values) -> float:
    """Of what is not NaN; NaN without any."""
    values = [value for value in values if not math.isnan(value)]
    return sum(values) / len(values) if values else math.nan


def interval(values) -> float:
    """Half of the 95 % interval (Student) of the mean over scenes."""
    values = [value for value in values if not math.isnan(value)]
    if len(values) < 2:
        return math.nan
    return float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))


def summary(table: dict) -> dict:
    """name -> column -> mean and half of its interval."""
    return {
        name: {column: dict(mean=mean(values), interval=interval(values)) for column, values in columns.items()}
        for name, columns in table.items()
    }


def printed(table: dict) -> str:
    """The table, a row a line."""
    width = max(map(len, table)) + 1
    lines = [" " * width + "".join(f"{name:>{WIDE if name in WITH_INTERVAL else NARROW}s}" for name in COLUMNS)]
    for name, row in table.items():
        cells = [cell(row[column], column in WITH_INTERVAL) for column in COLUMNS]
        lines.append(f"{name:{width}s}" + "".join(cells))
    return "\n".join(lines)


def cell(score: dict, with_interval: bool) -> str:
    """One figure of the table, blank where there is none."""
    width = WIDE if with_interval else NARROW
    if math.isnan(score["mean"]):
        return " " * width
    text = f"{score['mean']:.3f} +- {score['interval']:.3f}" if with_interval else f"{score['mean']:.3f}"
    return text.rjust(width)


def main(argv):
    args = arguments(argv)
    for weight in args.weight:
        require_checkpoint(weight)  # now, not after minutes with those before it
    results, opened = {}, None
    for weight in args.weight:
        checkpoint = read_checkpoint(weight)
        require_pretraining(checkpoint["state_dict"], weight)
        cfg = experiment_config(checkpoint, weight, args.config)
        model = build_network(cfg, checkpoint["state_dict"], weight, best_device("cpu")).eval()
        predictor, transform = Predictor.from_config(model.teacher, cfg), first_transform(cfg)
        wanted = predictor.grid_size, predictor.scale, transform
        if wanted != opened:  # checkpoints of one run share the scenes
            dataset, opened = open_dataset(args, predictor, transform), wanted
        indices = np.unique(np.linspace(0, len(dataset.data_list) - 1, args.num_scenes).astype(int))
        prior = prior_of(args, weight)
        rows = variants(prior, args.preset, kmeans_grid(args.num_clusters, args.feature, args.radius))
        results[weight] = summary(study(model, dataset, indices, args.draws, args.seed, rows))
        print(f"\n{weight}: {len(indices)} scenes, {args.draws} draws of crops each; ODR's prior: {prior.source}\n")
        print(printed(results[weight]), flush=True)
    if args.json:
        write_text(args.json, json.dumps(results, indent=1))


def prior_of(args, weight) -> MagnitudePrior:
    """The prior that is asked for, else that of the experiment, else the preset's."""
    fitted = os.path.join(os.path.dirname(os.path.dirname(weight)), "prior.json")
    return MagnitudePrior.load(args.prior or (fitted if os.path.isfile(fitted) else presets.ODR[args.preset]["prior"]))
