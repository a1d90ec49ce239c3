import csv
import json
import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pointins_ext.datasets.rooms import SyntheticRoomsDataset
from pointins_ext.embedded.hooks import CheckpointSaver
from pointins_ext.evaluation import evaluate_label_free
from pointins_ext.hooks.evaluators import UnsupervisedInsEvaluator
from pointins_ext.host import HOOKS, Config
from pointins_ext.inference import Predictor
from pointins_ext.instances import MIN_VOXELS, components, find_instances
from tests.fixtures.tiny_pointins import build, pointins_config
from tests.fixtures.tiny_scoring import (
    EVALUATORS,
    NAMES,
    Notes,
    ScoredScenes,
    evaluate,
    plain_score,
    trainer,
    two_ranks,
)

BEST = dict(semantic=("mIoU", "miou"), instance=("mAP", "map"), panoptic=("PQ", "pq"))
TASKS = sorted(EVALUATORS)


def read(folder, task):
    return json.loads((folder / "results" / f"{task}.json").read_text())


@pytest.mark.parametrize("task", TASKS)
def test_scores_are_those_of_the_plain_functions_on_raw_points(task, tmp_path):
    expected = plain_score(task, ScoredScenes())
    for batch_size in (1,) if task == "instance" else (1, 2, 5):
        made = trainer(tmp_path, batch_size=batch_size)
        evaluate(made, task)
        name, best = BEST[task]
        assert made.comm_info == dict(current_metric_value=pytest.approx(expected[best]), current_metric_name=name)
        assert 0.1 < expected[best] < 0.9
        found = read(tmp_path, task)
        for key, value in found["metrics"].items():
            assert value == pytest.approx(expected[key]), key
        column, values = next((k, v) for k, v in expected.items() if k.startswith("class_"))
        for number, class_name in enumerate(NAMES):
            if class_name in found["classes"]:
                assert found["classes"][class_name][column.removeprefix("class_")] == pytest.approx(values[number])


@pytest.mark.parametrize("task", TASKS)
def test_perfect_predictions_score_one_with_and_without_raw_points(task, tmp_path):
    for raw in (True, False):
        made = trainer(tmp_path, ScoredScenes(noise=0.0, raw=raw))
        # an object has six voxels or so
        evaluate(made, task, **dict(min_points=1) if task != "semantic" else {})
        assert made.comm_info["current_metric_value"] == pytest.approx(1.0)
        assert made.logger.scalars["val/loss", 1] == 0.0


@pytest.mark.parametrize("task", TASKS)
def test_training_goes_on_as_if_nothing_had_been_evaluated(task, tmp_path):
    made = trainer(tmp_path)
    for stream in (torch.manual_seed, np.random.seed, random.seed):
        stream(5)
    expected = torch.rand(1), np.random.rand(), random.random()
    for stream in (torch.manual_seed, np.random.seed, random.seed):
        stream(5)
    evaluate(made, task)
    assert (torch.rand(1), np.random.rand(), random.random()) == expected
    assert made.model.training and torch.is_grad_enabled()
    made.model.eval()
    evaluate(made, task)
    assert not made.model.training


def test_the_mode_comes_back_after_an_error_too(tmp_path):
    made = trainer(tmp_path, batch_size=2)
    with pytest.raises(ValueError, match="pred_masks are those of one scene, the batch has 2: set batch_size_val"):
        evaluate(made, "instance")
    assert made.model.training


def test_losses_are_means_over_scenes(tmp_path):
    made = trainer(tmp_path)
    evaluate(made, "semantic")
    losses = [float((s["feat"][:, 0] != s["segment"]).float().mean()) for s in ScoredScenes()]
    assert made.logger.scalars["val/loss", 1] == pytest.approx(np.mean(losses))
    assert read(tmp_path, "semantic")["losses"] == {"loss": pytest.approx(np.mean(losses))}
    assert read(tmp_path, "semantic")["scenes"] == 5


def test_two_processes_equal_one(tmp_path):
    """Five scenes: the second process gets the first one once more, in a batch with another one."""
    torch.multiprocessing.spawn(two_ranks, (tmp_path / "store", tmp_path), nprocs=2)
    answers = [torch.load(tmp_path / f"answer{rank}", weights_only=True) for rank in (0, 1)]
    for task in TASKS:
        made = trainer(tmp_path / "one", batch_size=1)
        evaluate(made, task)
        for rank in (0, 1):
            assert answers[rank][task][0] == made.comm_info
        scalars = answers[0][task][1]
        assert scalars.keys() == made.logger.scalars.keys() and not answers[1][task][1]
        for key, value in made.logger.scalars.items():
            if "loss" not in key[0] or task == "instance":  # elsewhere batches of two have their mean
                assert scalars[key] == pytest.approx(value, abs=1e-12), key
        one, two = read(tmp_path / "one", task), read(tmp_path / task, task)
        assert two["scenes"] == one["scenes"] == 5
        for name, row in one["classes"].items():
            assert two["classes"][name] == pytest.approx(row)


def test_tables(tmp_path):
    made = trainer(tmp_path)
    evaluate(made, "instance")
    expected = plain_score("instance", ScoredScenes())
    with open(tmp_path / "results" / "instance.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["class"] for row in rows] == ["chair", "table", "mean"]
    assert float(rows[0]["ap50"]) == pytest.approx(expected["class_ap50"][2])
    assert float(rows[2]["ap25"]) == pytest.approx(expected["ap25"])
    text = "\n".join(made.logger.lines)
    assert "mAP of 2 classes; ignored: wall, floor" in text and "not scored: wall, floor" in text
    assert f"AP50 {100 * expected['ap50']:.2f}" in text and "Validation [1/4], 5 scenes, loss" in text
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["instance.csv", "instance.json"]


@pytest.mark.parametrize("task", TASKS)
def test_a_split_without_objects_counts_as_zero(task, tmp_path):
    made = trainer(tmp_path, ScoredScenes(objects=False, noise=0.0))
    evaluate(made, task)
    value = made.comm_info["current_metric_value"]
    if task != "instance":
        assert value == pytest.approx(0.5) and not made.logger.warnings  # wall and floor of four classes
        return
    assert value == 0.0 and "mAP counts as 0: no scored class has an object" in made.logger.warnings[0]
    found = read(tmp_path, task)
    assert found["metrics"] == dict(map=None, ap50=None, ap25=None)
    assert found["classes"]["chair"] == dict(ap=None, ap50=None, ap25=None)
    assert (tmp_path / "results" / "instance.csv").read_text().splitlines()[1:] == ["chair,,,", "table,,,", "mean,,,"]
    assert ("val/mAP", 1) not in made.logger.scalars and ("val/loss", 1) in made.logger.scalars
    saver = CheckpointSaver()
    saver.trainer = made
    assert saver._update_best() and made.best_metric_value == 0.0


def test_every_few_epochs_and_after_the_last(tmp_path):
    made = trainer(tmp_path, max_epoch=5)
    hook = HOOKS.build(dict(type="SemanticEvaluator", every=2))
    hook.trainer = made
    hook.before_train()
    values = []
    for made.epoch in range(5):
        hook.after_epoch()
        values.append(made.comm_info["current_metric_value"])
    assert [math.isinf(value) for value in values] == [True, False, True, False, False]
    assert {step for name, step in made.logger.scalars if name == "val/mIoU"} == {2, 4, 5}
    with pytest.raises(ValueError, match="SemanticEvaluator: every is 0"):
        HOOKS.build(dict(type="SemanticEvaluator", every=0))


def test_nothing_happens_without_evaluate(tmp_path):
    made = trainer(tmp_path)
    made.cfg.evaluate = False
    made.cfg.data = dict(train=dict())
    evaluate(made, "instance").after_train()
    assert not made.comm_info and not made.logger.lines and not (tmp_path / "results").exists()


@pytest.mark.parametrize("task", ["instance", "panoptic"])
def test_a_warning_names_classes_whose_instances_do_not_count(task, tmp_path):
    changes = dict(segment_ignore_index=(-1, 2)) if task == "instance" else dict(things=(3,))
    made = trainer(tmp_path)
    hook = evaluate(made, task, **changes)
    assert [line for line in made.logger.warnings if line.endswith(": chair")] and len(made.logger.warnings) == 1
    hook.after_epoch()
    assert len(made.logger.warnings) == 1


def test_names_must_fit_the_classes(tmp_path):
    made = trainer(tmp_path)
    made.cfg.data.names = NAMES[:3]
    with pytest.raises(ValueError, match=r"data.names holds 3 names, 3 of them distinct; .*num_classes = 4"):
        evaluate(made, "semantic")


@pytest.fixture(scope="module")
def pretraining():
    """A PointINS model, its trainer and two rooms."""
    transform = [
        dict(type="GridSample", grid_size=0.1),
        dict(type="GlobalViewGenerator", global_transform=[dict(type="CenterShift")]),
        dict(type="Collect", keys=(), global_feat_keys=("global_coord", "global_color")),
    ]
    data = dict(train=dict(type="ScanDataset", scale=3.0, transform=transform))
    cfg = Config(dict(model=pointins_config(), data=data))
    rooms = dict(type="SyntheticRoomsDataset", split="val", num_scenes=3, room=dict(density=600.0), cache=False)
    return SimpleNamespace(model=build(cfg.model), cfg=cfg, epoch=9, max_epoch=40), rooms


def run_unsupervised(made, rooms, **options):
    made.writer = made.logger = Notes()
    hook = UnsupervisedInsEvaluator(rooms, **options)
    hook.trainer = made
    hook.before_train()
    hook.after_epoch()
    return made.logger


def test_label_free_scores_are_those_of_the_plain_function(pretraining):
    made, rooms = pretraining
    notes = run_unsupervised(made, rooms, limit=2)
    predictor = Predictor.from_config(made.model.teacher, made.cfg, scale=1.0)
    dataset = SyntheticRoomsDataset(**{key: value for key, value in rooms.items() if key != "type"})
    scenes = [dataset.get_data(i) for i in range(2)]
    for scene in scenes:
        prediction = predictor(scene)
        scene["voxels"] = {key: getattr(prediction, key) for key in ("coord", "offset", "feat", "normal")}
    size = dict(min_points=MIN_VOXELS, reach=0.3)

    def find(v):
        return find_instances(v["coord"], v["offset"], v["feat"], 0.1, v["normal"])

    methods = dict(offsets=lambda v: find(v).label, components=lambda v: components(v["coord"], 0.125, **size))
    table = evaluate_label_free(scenes, methods, scores=dict(offsets=lambda v, label: find(v).score))
    for name, scores in table.items():
        for key, title in (("map", "mAP"), ("ap50", "AP50"), ("ap25", "AP25")):
            assert notes.scalars[f"unsupervised/{name}_{title}", 10] == pytest.approx(scores[key])
    assert table["components"]["ap25"] > 0 and table["components"]["map"] != table["offsets"]["map"]
    assert "offsets of the teacher" in notes.lines[0] and "spatial components" in notes.lines[1]
    assert made.model.teacher.training
    found, hook = prediction.find(), UnsupervisedInsEvaluator(rooms)  # sizes alone may rank as the scores do
    assert np.array_equal(hook.instances(prediction)["offsets"]["score"], found.score) and len(found.score) > 1


def test_label_free_scores_come_every_few_epochs_and_may_leave_classes_out(pretraining):
    made, rooms = pretraining
    assert not run_unsupervised(made, rooms, every=3, limit=1).lines
    whole = run_unsupervised(made, rooms, limit=1).scalars
    void = run_unsupervised(made, rooms, limit=1, segment_ignore_index=range(-1, 20)).scalars
    assert len(whole) == 6 and not void  # nothing is left to score
    with pytest.raises(ValueError, match="needs instance of every point, scene nameless has coord, name"):
        UnsupervisedInsEvaluator(rooms).target(dict(coord=0, name="nameless"))
