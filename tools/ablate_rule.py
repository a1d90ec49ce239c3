"""The graph rule with each of its parts switched off alone, on labeled scenes, with intervals over scenes.

    python tools/ablate_rule.py --weight exp/quickstart/model/model_last.pth --num-scenes 30
    python tools/ablate_rule.py --weight ... --data FOLDER --split val --grid-size 0.008 --name mosd

Prints AP50 and mAP of raw scenes and their change against the whole rule, with the 95 % interval of the change under
2,000 draws of the scenes with replacement, the same draws for every row; --json adds them to a file. The interval
covers the choice of scenes, not the training of the checkpoint.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pointins_ext.branch import GraphRule, MergeEvidence
from pointins_ext.cli.scenes import add_scene_arguments, load_scenes
from pointins_ext.errors import exit_on_user_error
from pointins_ext.evaluation.instance import THRESHOLDS, InstanceAveragePrecision, average_precision, match_scene
from pointins_ext.evaluation.label_free import on_planes
from pointins_ext.files import write_text
from pointins_ext.flags import output_file
from pointins_ext.inference import load_predictor

DRAWS = 2000
SCORES = ("ap50", "map")
FULL = "whole rule"
# name -> instances of a prediction and its mask of planes
PARTS = {
    FULL: lambda p, plane: p.find(plane=plane),
    "planes as any surface": lambda p, plane: p.find(plane=np.zeros_like(plane)),
    "no convexity": lambda p, plane: p.find(
        plane=plane, rule=GraphRule(concave=-np.inf, evidence=MergeEvidence(concavity=0))
    ),
    "no features": lambda p, plane: p.find(plane=plane, rule=GraphRule(share=0, evidence=MergeEvidence(affinity=0))),
    "no offsets": lambda p, plane: p.find(plane=plane, rule=GraphRule(turn=np.inf)),
    "no merging of regions": lambda p, plane: p.find(plane=plane, rule=GraphRule(evidence=MergeEvidence(bias=-np.inf))),
}


def score_parts(predictor, scenes) -> dict:
    """Part -> average precision that has seen all scenes."""
    metrics = {name: InstanceAveragePrecision(class_agnostic=True) for name in PARTS}
    for scene in tqdm(scenes, desc="scenes", unit="scene", disable=None):
        prediction = predictor(scene)
        plane = on_planes(prediction.coord)
        for name, find in PARTS.items():
            found = find(prediction, plane)
            answer = dict(instance=found.label[prediction.nearest], score=found.score)
            metrics[name].update(answer, dict(instance=scene["instance"]))
    return metrics


def drawn_scores(metric, draws) -> np.ndarray:
    """(D, 2) AP50 and mAP, percent, of each draw (D, S) of the scenes that a metric has seen."""
    # predictions find their objects scene by scene, so that is done once
    matches = [[match_scene(s, threshold, metric.min_points) for s in metric.scenes] for threshold in THRESHOLDS[:-1]]
    table = np.array([[_precision([scenes[i] for i in draw]) for scenes in matches] for draw in draws])
    return 100 * np.stack([table[:, 0], table.mean(axis=1)], axis=1)


def _precision(matches) -> float:
    entries = np.concatenate([entry for entry, _ in matches])
    entries = entries[entries[:, 0] == 0]  # of the one class there is; void has another
    missed = sum(np.count_nonzero(missing == 0) for _, missing in matches)
    return average_precision(entries[:, 1].astype(bool), entries[:, 2], missed)


def rows(metrics: dict, seed: int = 0) -> dict:
    """Part -> score -> its value, and for all but the whole rule the change and its interval."""
    number = len(metrics[FULL].scenes)
    draws = np.concatenate(
        [np.arange(number)[None], np.random.default_rng(seed).integers(number, size=(DRAWS, number))]
    )
    values = {name: drawn_scores(m, tqdm(draws, desc=name, leave=False, disable=None)) for name, m in metrics.items()}
    table = {}
    for name, value in values.items():
        change = value - values[FULL]
        low, high = np.quantile(change[1:], [0.025, 0.975], axis=0)
        table[name] = {
            key: dict(value=value[0, i], change=change[0, i], low=low[i], high=high[i]) for i, key in enumerate(SCORES)
        }
    return table


def render(table: dict) -> str:
    lines = [f"{'':26s}{'AP50':>8s}{'change (95 %)':>26s}{'mAP':>8s}{'change (95 %)':>26s}"]
    for name, scores in table.items():
        cells = ""
        for entry in scores.values():
            change = "" if name == FULL else "{change:+.1f} ({low:+.1f} to {high:+.1f})".format(**entry)
            cells += f"{entry['value']:8.1f}{change:>26s}"
        lines.append(f"{name:26s}{cells}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weight", required=True, help="PointINS pretraining checkpoint")
    add_scene_arguments(parser, split="test", num_scenes=30)
    parser.add_argument("--name", help="of the scenes in the file (default: that of --data)")
    parser.add_argument("--json", type=output_file, help="add the rows to this file")
    args = parser.parse_args()
    predictor = load_predictor(args.weight)
    scenes = load_scenes(args, predictor)
    table = rows(score_parts(predictor, scenes))
    print(render(table))
    if args.json:
        known = json.loads(Path(args.json).read_text(encoding="utf-8")) if Path(args.json).is_file() else {}
        command = " ".join(["python tools/ablate_rule.py", *sys.argv[1:]])
        known[args.name or Path(args.data).resolve().name] = dict(rows=table, scenes=len(scenes), command=command)
        write_text(args.json, json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    exit_on_user_error(main)
