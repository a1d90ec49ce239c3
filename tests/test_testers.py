"""Testers: the score of a checkpoint equals plain computations and the evaluators'; what is saved, what is said."""

import logging
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from pointins_ext.evaluation import InstanceAveragePrecision
from pointins_ext.host import get_root_logger
from tests.fixtures import tiny_testers as tiny
from tests.fixtures.tiny_datasets import write_arrays
from tests.fixtures.tiny_scoring import (
    MIN_POINTS,
    NAMES,
    NUM_CLASSES,
    ScoredScenes,
    evaluate,
    loader,
    plain_score,
    trainer,
)
from tests.oracles.scoring import plain_iou, plain_objects, plain_votes, raw_predictions

TASKS = sorted(tiny.TASKS)
SCENES = [f"s{i}" for i in range(5)]


@contextmanager
def logged():
    """Lines that the host's logger gets meanwhile."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    get_root_logger().addHandler(handler)
    try:
        yield lines
    finally:
        get_root_logger().removeHandler(handler)


@pytest.mark.parametrize("raw", [True, False])
def test_fragments_vote_for_the_class_of_a_point(raw, tmp_path):
    cfg = tiny.experiment(tmp_path, "semantic", dict(raw=raw))
    mix = tiny.trained_model(cfg).mix.detach().double().numpy()
    result = tiny.build_tester(cfg, save=True).test()
    found, pairs = tiny.saved(tmp_path), []
    for scene in tiny.FragmentScenes(raw=raw):
        segment, target = plain_votes(scene, mix), scene["segment"]
        if raw:
            segment, target = segment[scene["inverse"]], scene["origin_segment"]
        pairs.append((segment, target))
        assert found[scene["name"]].keys() == {"segment"}
        np.testing.assert_array_equal(found[scene["name"]]["segment"], segment)
    expected = plain_iou(pairs, NUM_CLASSES)
    assert 0.5 < expected.mean() < 0.95  # votes are neither all right nor chance
    np.testing.assert_allclose(result["class_iou"], expected)
    assert result["miou"] == pytest.approx(expected.mean())


@pytest.mark.parametrize("raw", [True, False])
def test_the_hosts_own_fragments_give_every_point_back(raw, tmp_path):
    """A class for each voxel, which the color tells: only a wrong place of a point in its scene costs score."""
    rng = np.random.default_rng(0)
    coord = rng.uniform(0, 1, (3000, 3)).astype(np.float32)
    coord[0] = 0
    segment = np.floor(coord / 0.1).astype(int) @ (1, 2, 3) % NUM_CLASSES
    write_arrays(tmp_path / "val" / "scene", coord=coord, color=10 * np.eye(NUM_CLASSES)[segment], segment=segment)
    grid = dict(type="GridSample", grid_size=0.1, hash_type="fnv")
    collect = dict(type="Collect", keys=("coord", "index"), feat_keys=("color",))
    test_cfg = dict(
        voxelize=dict(grid, mode="test", return_grid_coord=True),
        crop=None,
        post_transform=[dict(type="ToTensor"), collect],
        aug_transform=[[], [dict(type="RandomFlip", p=1)]],
    )
    origin = [dict(type="Copy", keys_dict=dict(segment="origin_segment")), dict(grid, return_inverse=True)]
    dataset = dict(type="DefaultDataset", data_root=str(tmp_path), split="val", test_mode=True, test_cfg=test_cfg)
    cfg = tiny.experiment(tmp_path, "semantic", dataset | dict(transform=origin if raw else []))
    assert tiny.build_tester(cfg, save=True).test()["miou"] == pytest.approx(1.0)
    np.testing.assert_array_equal(tiny.saved(tmp_path)["scene"]["segment"], segment)


def test_a_scene_without_fragments_is_named_by_its_keys(tmp_path):
    cfg = tiny.experiment(tmp_path, "semantic", dict(type="ScoredScenes"))
    with pytest.raises(ValueError, match="needs fragment_list, the scene has coord, feat, .*test_mode=True"):
        tiny.build_tester(cfg).test()


def test_semantics_in_one_pass_are_the_evaluators(tmp_path):
    cfg = tiny.experiment(tmp_path, "semantic", dict(type="ScoredScenes"), dict(type="ReadsShifted"))
    result = tiny.build_tester(cfg, fragments=False).test()
    expected = plain_score("semantic", ScoredScenes())
    assert 0 < result["miou"] < 1
    for key, value in expected.items():
        np.testing.assert_allclose(result[key], value, err_msg=key)


@pytest.mark.parametrize("task", ["instance", "panoptic"])
def test_scores_are_the_evaluators_and_the_plain_ones(task, tmp_path):
    cfg = tiny.experiment(tmp_path, task)
    result = tiny.build_tester(cfg).test()
    for key, value in plain_score(task, ScoredScenes()).items():
        np.testing.assert_allclose(result[key], value, err_msg=key)
    evaluate(trainer(tmp_path / "evaluator", model=tiny.trained_model(cfg)), task)
    tested, evaluated = tiny.tables(tmp_path, task), tiny.tables(tmp_path / "evaluator", task)
    assert tested[1] == evaluated[1]
    for key in ("metrics", "classes", "ignored", "losses", "scenes"):
        assert tested[0][key] == evaluated[0][key], key


@pytest.mark.parametrize("names", [("a", "b", "a"), ("x/y", "x_y")])
@pytest.mark.parametrize("concat", [False, True])
def test_two_scenes_of_one_name_are_refused_before_anything_is_saved(names, concat, tmp_path):
    parts = [f"part{i}" for i in range(len(names))]
    for part, name in zip(parts, names, strict=True):
        write_arrays(tmp_path / "data" / part / name.replace("/", "_"), coord=np.zeros((3, 3), np.float32))
    split = dict(type="DefaultDataset", data_root=str(tmp_path / "data"))
    dataset = dict(split, split=parts)
    if concat:
        dataset = dict(type="ConcatDataset", datasets=[dict(split, split=part) for part in parts])
    cfg = tiny.experiment(tmp_path / "exp", "semantic", dataset)
    with pytest.raises(ValueError, match="two scenes of .* have the name .* would overwrite each other: .* rename one"):
        tiny.build_tester(cfg, fragments=False, save=True)
    assert not (tmp_path / "exp" / "result").exists()
    tiny.build_tester(cfg, fragments=False)  # scores can do without names


def test_names_that_a_dataset_does_not_tell_beforehand(tmp_path):
    tester = tiny.build_tester(tiny.experiment(tmp_path, "panoptic"), save=True)
    tester.keep("s1/a", dict(segment=np.zeros(2)))
    with pytest.raises(ValueError, match="two scenes have the name 's1_a'"):
        tester.keep("s1_a", dict(segment=np.ones(2)))
    assert not tiny.saved(tmp_path)["s1_a"]["segment"].any()


def test_saved_panoptic_predictions_are_those_of_the_raw_points(tmp_path):
    tiny.build_tester(tiny.experiment(tmp_path, "panoptic"), save=True).test()
    found = tiny.saved(tmp_path)
    assert sorted(found) == SCENES
    for name, (expected, _, _) in zip(SCENES, raw_predictions(ScoredScenes()), strict=True):
        assert found[name].keys() == {"segment", "instance"}
        np.testing.assert_array_equal(np.stack([found[name]["segment"], found[name]["instance"]], axis=1), expected)


@pytest.mark.parametrize("overlap", [False, True])
def test_saved_instances_are_scored_masks_of_the_raw_points(overlap, tmp_path):
    cfg = tiny.experiment(tmp_path, "instance", model=dict(overlap=overlap))
    result = tiny.build_tester(cfg, save=True).test()
    found, metric = tiny.saved(tmp_path), InstanceAveragePrecision(NUM_CLASSES, (-1, 0, 1), min_points=MIN_POINTS)
    assert sorted(found) == SCENES
    for scene, (raw, segment, instance) in zip(ScoredScenes(), raw_predictions(ScoredScenes()), strict=True):
        ids, category = plain_objects(scene)
        masks, score = raw[:, 1] == ids[:, None], 1 / (1 + ids)
        if overlap:
            masks = np.concatenate([masks, np.ones_like(masks[:1])])
            category, score = np.append(category, 2), np.append(score, 0.01)
        metric.update(dict(masks=masks, score=score, category=category), dict(segment=segment, instance=instance))

        arrays = found[scene["name"]]
        assert arrays.keys() == {"segment", "instance", "score", "category"} | ({"masks"} if overlap else set())
        np.testing.assert_allclose(arrays["score"], score, rtol=1e-6)
        np.testing.assert_array_equal(arrays["category"], category)
        # scores fall from the first mask to the last
        best = np.where(masks.any(0), masks.argmax(0), -1)
        np.testing.assert_array_equal(arrays["instance"], best)
        np.testing.assert_array_equal(arrays["segment"], np.where(best < 0, -1, category[best]))
        if overlap:
            np.testing.assert_array_equal(arrays["masks"].T, masks)
    assert result["map"] == pytest.approx(metric.compute()["map"])


@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_saved_unasked(task, tmp_path):
    tiny.build_tester(tiny.experiment(tmp_path, task)).test()
    assert not (tmp_path / "result").exists()
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [f"{task}.csv", f"{task}.json"]


@pytest.mark.parametrize("task", TASKS)
def test_tables_say_what_was_tested(task, tmp_path):
    cfg = tiny.experiment(tmp_path, task)
    with logged() as lines:
        result = tiny.build_tester(cfg).test()
    found, rows = tiny.tables(tmp_path, task)
    assert (found["weight"], found["scenes"]) == (cfg.weight, 5)
    means = {key: value for key, value in result.items() if not key.startswith("class_")}
    assert found["metrics"] == pytest.approx(means) and len(means) >= 3
    scored = NAMES[2:] if task == "instance" else NAMES
    assert list(found["classes"]) == scored and found["ignored"] == [name for name in NAMES if name not in scored]
    for column, value in found["classes"]["table"].items():
        assert value == pytest.approx(result[f"class_{column}"][3])
    assert rows[0] == ",".join(["class", *found["classes"]["table"]])
    assert [row.split(",")[0] for row in rows[1:]] == [*scored, "mean"]
    assert rows[-2] == ",".join(["table", *map(str, found["classes"]["table"].values())])
    text = "\n".join(lines)
    assert f"Testing {cfg.weight}" in text and f"trained for {tiny.EPOCH} epochs" in text
    assert f"Test of {cfg.weight}, 5 scenes" in text and f"  table{' ' * 2}" in text


@pytest.mark.parametrize(
    ("hooks", "network"),
    [
        ([dict(type="ModelHook"), dict(type="WeightLoader", keywords="module.teacher.backbone")], "teacher"),
        ([dict(type="CheckpointLoader", keywords="module.student.backbone", replacement="module.backbone")], "student"),
        ([dict(type="WeightLoader", keywords="module.backbone"), dict(type="CheckpointSaver")], None),
    ],
)
def test_the_log_says_whose_backbone_is_probed(hooks, network, tmp_path):
    with logged() as lines:
        tiny.build_tester(tiny.experiment(tmp_path, "panoptic", hooks=hooks))
    named = [line for line in lines if "backbone" in line]
    assert named == [f"By its config the experiment took its backbone from the {network} of a pretraining"] * bool(
        network
    )


def test_a_model_at_hand_needs_no_weights(tmp_path):
    cfg = tiny.experiment(tmp_path, "panoptic")
    model = tiny.trained_model(cfg)
    cfg.weight = None
    result = tiny.build_tester(cfg, model=model).test()
    assert result["pq"] == pytest.approx(plain_score("panoptic", ScoredScenes())["pq"])
    assert tiny.tables(tmp_path, "panoptic")[0]["weight"] == "the model at hand"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (dict(weight=None), ValueError, "weight is not set; give exp/.*-w"),
        (dict(weight="exp/none.pth"), FileNotFoundError, "exp/none.pth not found"),
        (dict(dataset=dict(num_scenes=0)), ValueError, "ScoredScenes.* holds no scene"),
    ],
)
def test_what_is_missing_is_named(changes, error, words, tmp_path):
    with pytest.raises(error, match=words):
        tiny.build_tester(tiny.experiment(tmp_path, "panoptic", **changes))
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        (dict(more=torch.ones(1)), r"other.pth: .*unexpected \['more'\]"),
        (dict(shift=torch.zeros(2)), r"other.pth: .*shift \(2,\) -> \(1,\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(tensors, words, tmp_path):
    weight = tiny.write_weights(tmp_path / "other.pth", **tensors)
    with pytest.raises(ValueError, match=words):
        tiny.build_tester(tiny.experiment(tmp_path, "panoptic", weight=weight))
    weight = tiny.write_weights(tmp_path / "semantic.pth", "MixesFeatures")
    with pytest.raises(ValueError, match="semantic.pth"):
        tiny.build_tester(tiny.experiment(tmp_path, "panoptic", weight=weight))


def test_predictions_are_saved_by_name(tmp_path):
    class Nameless(ScoredScenes):
        def __getitem__(self, index):
            return {key: value for key, value in super().__getitem__(index).items() if key != "name"}

    tester = tiny.build_tester(tiny.experiment(tmp_path, "panoptic"), save=True)
    tester.loader = loader(Nameless())
    with pytest.raises(ValueError, match="save=True needs the names of the scenes: add 'name' to Collect"):
        tester.test()
    tester.save = False
    assert tester.test()["pq"] > 0


def test_two_processes_equal_one(tmp_path):
    """Five scenes: the second process gets the first one once more."""
    for task in TASKS:
        tiny.write_weights(tmp_path / f"{task}.pth", "MixesFeatures" if task == "semantic" else "ReadsShifted")
    torch.multiprocessing.spawn(tiny.two_ranks, (tmp_path / "store", tmp_path), nprocs=2)
    answers = [torch.load(tmp_path / f"answer{rank}", weights_only=True) for rank in (0, 1)]
    for task in TASKS:
        cfg = tiny.experiment(tmp_path / "one" / task, task, weight=str(tmp_path / f"{task}.pth"))
        expected = tiny.build_tester(cfg, save=True).test()
        names = [name for answer in answers for name in answer[task][0]]
        assert sorted(names) == SCENES and min(len(answer[task][0]) for answer in answers) == 2
        for answer in answers:
            for key, value in expected.items():
                np.testing.assert_allclose(answer[task][1][key], value, err_msg=key, atol=1e-12)
        assert tiny.tables(tmp_path / task, task)[0]["scenes"] == 5
        one, two = tiny.saved(tmp_path / "one" / task), tiny.saved(tmp_path / task)
        assert one.keys() == two.keys() == set(SCENES)
        for name, arrays in one.items():
            for key, array in arrays.items():
                np.testing.assert_array_equal(two[name][key], array)
