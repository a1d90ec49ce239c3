"""Label-free instances of the weights that the package ships, beside their rivals, with intervals over scenes.

    python tools/score_weights.py --weight indoor --json tools/results/weights.json
    python tools/score_weights.py --weight indoor --data FOLDER --split val --grid-size 0.008 --name mosd --json ...

Prints AP50 and mAP of raw scenes, and their difference to the best rival, each with its 95 % interval under 2,000 draws
of the scenes with replacement, the same draws for every method; --json adds them to a file. The interval covers the
choice of scenes, not the training. The rivals are those of `pointins evaluate` that have parameters for the scenes.
--picture draws the scenes where our mAP is least, the worst first: scan, instances, truth, offsets.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ablate_rule import DRAWS, SCORES, drawn_scores
from pointins_ext.cli.evaluate import METHODS, evaluate, pointins_score, rival_parameters, stored_rivals
from pointins_ext.cli.quickstart import results
from pointins_ext.cli.scenes import add_scene_arguments, load_scenes
from pointins_ext.errors import exit_on_user_error
from pointins_ext.evaluation.instance import InstanceAveragePrecision
from pointins_ext.evaluation.label_free import to_raw
from pointins_ext.files import write_text
from pointins_ext.flags import output_file
from pointins_ext.inference import load_predictor
from pointins_ext.visualization import instances_figure

OWN = "pointins"


def metrics(scenes: list[dict], names) -> dict:
    """Label name -> average precision that has seen all scenes, which `evaluate` has labeled."""
    result = {name: InstanceAveragePrecision(class_agnostic=True) for name in names}
    for scene in scenes:
        voxels = scene["voxels"]
        for name, metric in result.items():
            score = dict(score=pointins_score(voxels, voxels[name])) if name == OWN else {}
            answer = dict(instance=to_raw(voxels[name], voxels["coord"], scene["coord"]), **score)
            metric.update(answer, dict(instance=scene["instance"]))
    return result


def worst(scenes: list[dict], metric, number: int = 3) -> list[dict]:
    """The scenes of which `metric`, which has seen them all, has the least mAP, the least first."""
    precision = drawn_scores(metric, np.arange(len(scenes))[:, None])[:, SCORES.index("map")]
    return [scenes[i] for i in precision.argsort(kind="stable")[:number]]


def row(seen: dict, seed: int = 0) -> dict:
    """Score -> its value and interval, the best rival, and the difference to it; percent."""
    number = len(seen[OWN].scenes)
    draws = np.random.default_rng(seed).integers(number, size=(DRAWS, number))
    draws = np.concatenate([np.arange(number)[None], draws])
    values = {name: drawn_scores(m, tqdm(draws, desc=name, leave=False, disable=None)) for name, m in seen.items()}
    result = {}
    for i, key in enumerate(SCORES):
        rivals = [name for name in values if name != OWN]
        own = values[OWN][:, i]
        best = max(rivals, key=lambda name, i=i: values[name][0, i])
        change = own - values[best][:, i]
        result[key] = dict(
            value=own[0],
            interval=interval(own),
            rival=best,
            rival_value=values[best][0, i],
            change=change[0],
            change_interval=interval(change),
        )
    return result


def interval(values) -> list[float]:
    return np.quantile(values[1:], [0.025, 0.975]).tolist()


def render(entry: dict) -> str:
    text = "{value:.1f} ({interval[0]:.1f} to {interval[1]:.1f}); {rival} {rival_value:.1f}; "
    text += "{change:+.1f} ({change_interval[0]:+.1f} to {change_interval[1]:+.1f})"
    return text.format(**entry)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weight", required=True, help="indoor, outdoor, or a pretraining checkpoint")
    add_scene_arguments(parser, split="val", num_scenes=16)
    parser.add_argument("--name", help="of the scenes in the file (default: that of --data)")
    parser.add_argument("--rivals", choices=sorted(stored_rivals()), help="whose parameters (default: --data)")
    parser.add_argument("--json", type=output_file, help="add the row to this file")
    parser.add_argument("--picture", type=output_file, help="write a .png of the worst scenes")
    args = parser.parse_args()
    predictor = load_predictor(args.weight)
    scenes = load_scenes(args, predictor)
    source = args.rivals or Path(args.data).resolve().name
    names = tuple(name for name in METHODS if name == OWN or name in stored_rivals().get(source, METHODS))
    tables, _ = evaluate(predictor, scenes, rival_parameters(source, names), names)
    rivals = [name + planes for name in names if name != OWN for planes in ("", "_planes")]
    seen = metrics(scenes, [OWN, *rivals])
    scores = row(seen)
    scores["touching"] = tables["unsupervised"][OWN]["recall50_touching"]
    for key in SCORES:
        print(f"{key:6s}{render(scores[key])}")
    if args.picture:
        instances_figure(results(worst(scenes, seen[OWN])), args.picture)
    if args.json:
        known = json.loads(Path(args.json).read_text(encoding="utf-8")) if Path(args.json).is_file() else {}
        command = " ".join(["python tools/score_weights.py", *sys.argv[1:]])
        name = args.name or Path(args.data).resolve().name
        objects = tables["unsupervised"][OWN]["num_objects"]
        known[f"{args.weight}/{name}"] = dict(scores, scenes=len(scenes), objects=objects, command=command)
        write_text(args.json, json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    exit_on_user_error(main)
