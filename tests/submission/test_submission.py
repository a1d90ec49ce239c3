"""Submissions are read back as the servers read them; whatever is wrong is one line, and then nothing is written."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointins_ext.embedded import label_maps
from pointins_ext.evaluation import panoptic_quality, results
from pointins_ext.host import TESTERS, Config, build_dataset, build_model
from pointins_ext.submission import formats
from pointins_ext.submission import write as submission
from pointins_ext.submission.formats import KITTI_LABELS, NUSCENES_LABELS, SCANNET200_LABELS, SCANNET_LABELS
from tests.fixtures import tiny_datasets as tiny
from tests.test_downstream_configs import FOLDER, load

ROOT = Path(__file__).parents[2]
LABELS = Path(
    os.environ.get("POINTCEPT_ROOT", "none"),
    "pointcept/datasets/preprocessing/scannet/meta_data/scannetv2-labels.combined.tsv",
)
SEMANTIC, INSTANCE, PANOPTIC = "SemanticTester", "InstanceTester", "PanSegTester"
META = dict(use_camera=False, use_lidar=True, use_radar=False, use_map=False, use_external=False)


class Scans:
    """A split: name of each scan -> number of its points."""

    def __init__(self, sizes):
        self.sizes = sizes
        self.data_list = list(sizes)

    def get_data_name(self, idx):
        return self.data_list[idx]

    def get_data(self, idx):
        return dict(coord=np.zeros((self.sizes[self.data_list[idx]], 3), np.float32))


def config(kind, tester, split="val"):
    return Config(dict(data=dict(test=dict(type=kind, split=split)), test=dict(type=tester)))


def submit(folder, cfg, predictions, output="out", sizes=None):
    """Keep the predictions {name: arrays} as testers do and write their submission; the path of it."""
    for name, arrays in predictions.items():
        results.save_prediction(str(folder), name, {key: np.asarray(value) for key, value in arrays.items()})
    sizes = sizes or {name: len(next(iter(arrays.values()))) for name, arrays in predictions.items()}
    number = submission.write_submission(str(folder), cfg, str(folder / output), lambda data: Scans(sizes))
    assert number == len(sizes)
    return folder / output


def files(folder):
    """Path -> bytes of the files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_kitti(content):
    """(label, instance) of a .label file: the lower and the upper half of little-endian words."""
    words = np.frombuffer(content, "<u4")
    return words & 0xFFFF, words >> 16


def read_nuscenes(content):
    """(class 1..16, instance) of a panoptic file, its only array `data`."""
    with np.load(io.BytesIO(content)) as arrays:
        assert arrays.files == ["data"] and arrays["data"].dtype == np.uint16
        return np.divmod(arrays["data"].astype(int), 1000)


def read_scannet(folder, name):
    """List of (label, score, mask (N,)) as the official script reads them: relative paths, three words a line."""
    found = []
    for line in (folder / f"{name}.txt").read_text().splitlines():
        path, label, score = line.split(" ")
        values = np.array((folder / path).read_text().splitlines(), dtype=int)
        assert not os.path.isabs(path) and set(values.tolist()) <= {0, 1}
        found.append((int(label), float(score), values != 0))
    return found


def test_original_ids_of_all_classes():
    table = label_maps.label_table(label_maps.KITTI, label_maps.KITTI_IGNORED, -1)
    np.testing.assert_array_equal(table[list(KITTI_LABELS)], np.arange(19))
    assert KITTI_LABELS == tuple(labels[0] for labels in label_maps.KITTI.values())  # never the moving ones
    assert NUSCENES_LABELS == tuple(range(1, 17)) and len(label_maps.NUSCENES) == 16
    names = Config.fromfile(str(FOLDER / "_base_" / "labels_scannet.py")).names
    ids = dict(zip(names, SCANNET_LABELS, strict=True))
    assert ids["wall"] == 1 and ids["counter"] == 12 and ids["desk"] == 14 and ids["curtain"] == 16
    assert ids["refridgerator"] == 24 and ids["shower curtain"] == 28 and ids["toilet"] == 33 and ids["sink"] == 34
    assert ids["bathtub"] == 36 and ids["otherfurniture"] == 39
    assert len(SCANNET200_LABELS) == 200 and sorted(set(SCANNET200_LABELS)) == list(SCANNET200_LABELS)


@pytest.mark.skipif(not LABELS.is_file(), reason="POINTCEPT_ROOT is not set")
@pytest.mark.parametrize(
    ("name", "category", "column", "labels"),
    [
        ("scannet", "nyu40class", "nyu40id", SCANNET_LABELS),
        ("scannet200", "category", "id", SCANNET200_LABELS),
    ],
)
def test_scannets_table_has_these_ids_for_the_names_of_the_configs(name, category, column, labels):
    with LABELS.open() as stream:
        ids = {row[category]: row[column] for row in csv.DictReader(stream, delimiter="\t") if row[column]}
    names = Config.fromfile(str(FOLDER / "_base_" / f"labels_{name}.py")).names
    assert [int(ids[key]) for key in names] == list(labels)


@given(
    points=st.lists(st.tuples(st.integers(0, 15), st.integers(-1, 70000)), min_size=1, max_size=60),
    kind=st.sampled_from(["kitti", "nuscenes"]),
)
def test_packed_labels_keep_classes_and_objects(points, kind):
    segment, instance = np.array(points).T
    if kind == "kitti":
        things = range(8)
        ((path, content),) = formats.SemanticKITTI("panoptic", "val").files(
            "08_000123", dict(segment=segment, instance=instance)
        )
        assert path == "sequences/08/predictions/000123.label" and len(content) == 4 * len(segment)
        label, number = read_kitti(content)
        table = label_maps.label_table(label_maps.KITTI, label_maps.KITTI_IGNORED, -1)
        found = table[label]
    else:
        things = range(10)
        ((path, content),) = formats.NuScenes("panoptic", "test").files(
            "ca9a", dict(segment=segment, instance=instance)
        )
        assert path == "panoptic/test/ca9a_panoptic.npz"
        label, number = read_nuscenes(content)
        found = label - 1
    np.testing.assert_array_equal(found, segment)
    thing = np.isin(segment, things)
    np.testing.assert_array_equal(number == 0, ~thing | (instance <= 0))
    for category in things:
        own = number[(segment == category) & (number > 0)]
        assert set(own.tolist()) == set(range(1, len(set(own.tolist())) + 1))  # starts again from 1 in each class
    truth = segment, np.where(thing, np.maximum(instance, 0), 0)
    quality = panoptic_quality((found, number), truth, 19, things, min_points=1)
    assert quality["sq"] == pytest.approx(quality["rq"]) == pytest.approx(len(set(segment.tolist())) / 19)


@pytest.mark.parametrize("output", ["out", "out.zip"])
def test_semantic_kitti(output, tmp_path):
    predictions = {f"{scan}_00000{i}": dict(segment=np.arange(19)[i:]) for scan in (11, 21) for i in range(2)}
    path = submit(tmp_path, config("SemanticKITTIDataset", SEMANTIC, "test"), predictions, output)
    if output == "out":
        found = files(path)
    else:
        with zipfile.ZipFile(path) as archive:
            folders = {name for name in archive.namelist() if name.endswith("/")}
            assert folders == {"sequences/"} | {
                f"sequences/{scan}/{end}" for scan in (11, 21) for end in ("", "predictions/")
            }
            assert len(set(archive.namelist())) == len(archive.namelist())
            found = {name: archive.read(name) for name in archive.namelist() if name not in folders}
    assert set(found) == {f"sequences/{scan}/predictions/00000{i}.label" for scan in (11, 21) for i in range(2)}
    for name, content in found.items():
        label, instance = read_kitti(content)
        np.testing.assert_array_equal(label, KITTI_LABELS[int(name[-7]) :])
        assert not instance.any()
    assert sorted(path.name for path in tmp_path.iterdir()) == [output, "result"]


def test_nuscenes_lidarseg(tmp_path):
    found = files(submit(tmp_path, config("NuScenesDataset", SEMANTIC), dict(ca9a=dict(segment=np.arange(16)))))
    assert np.frombuffer(found.pop("lidarseg/val/ca9a_lidarseg.bin"), np.uint8).tolist() == list(range(1, 17))
    assert json.loads(found.pop("val/submission.json")) == dict(meta=META)
    assert not found


def test_nuscenes_panoptic(tmp_path):
    arrays = dict(segment=[3, 3, 3, 9, 15, 3], instance=[4, 7, 0, 4, 2, 4])
    found = files(submit(tmp_path, config("NuScenesPanopticDataset", PANOPTIC, "test"), dict(ca9a=arrays)))
    label, instance = read_nuscenes(found.pop("panoptic/test/ca9a_panoptic.npz"))
    assert label.tolist() == [4, 4, 4, 10, 16, 4] and instance.tolist() == [1, 2, 0, 1, 0, 1]
    assert json.loads(found.pop("test/submission.json")) == dict(meta=dict(META, task="segmentation"))
    assert not found


@pytest.mark.parametrize(
    ("kind", "labels"), [("ScanNetDataset", SCANNET_LABELS), ("ScanNet200Dataset", SCANNET200_LABELS)]
)
def test_scannet_labels(kind, labels, tmp_path):
    found = files(submit(tmp_path, config(kind, SEMANTIC), dict(scene0707_00=dict(segment=np.arange(len(labels))))))
    assert list(found) == ["scene0707_00.txt"]
    assert tuple(map(int, found["scene0707_00.txt"].decode().splitlines())) == labels


@pytest.mark.parametrize("overlap", [False, True])
def test_scannet_instances(overlap, tmp_path):
    masks = np.array([[1, 1, 0, 0, 0], [0, overlap, 1, 0, 0]], bool)
    arrays = dict(instance=[0, 1 if overlap else 0, 1, -1, -1], score=np.array([0.25, 0.7], np.float32))
    arrays |= dict(segment=[2, 5, 5, -1, -1], category=[2, 19], **(dict(masks=masks.T) if overlap else {}))
    none = dict(instance=[-1, -1], score=np.zeros(0), category=np.zeros(0, int), segment=[-1, -1])
    cfg = config("ScanNetDataset", INSTANCE, "test")
    folder = submit(
        tmp_path, cfg, dict(scene0707_00=arrays, scene0708_00=none), sizes=dict(scene0707_00=5, scene0708_00=2)
    )
    (first, second), nothing = (read_scannet(folder, f"scene070{i}_00") for i in (7, 8))
    assert first[:2] == (3, 0.25) and second[:2] == (39, pytest.approx(0.7))
    np.testing.assert_array_equal(np.stack([first[2], second[2]]), masks)
    assert nothing == []
    assert set(files(folder)) == {
        *("scene0707_00.txt", "scene0708_00.txt"),
        *(f"predicted_masks/scene0707_00_00{i}.txt" for i in range(2)),
    }


MANY = np.arange(1, 1002)
THINGS = dict(segment=np.zeros(1001, int), instance=MANY)


@pytest.mark.parametrize(
    ("cfg", "predictions", "sizes", "words"),
    [
        (("S3DISDataset", SEMANTIC), {}, {}, "no submission is known for data.test.type = S3DISDataset; expected one"),
        (("ScanNetDataset", "SemSegTester"), {}, {}, "what SemanticTester, .* keep; test.type is SemSegTester"),
        (("ScanNetDataset", PANOPTIC), {}, {}, "ScanNet takes submissions of the tasks semantic, instance; PanSeg"),
        (("NuScenesDataset", INSTANCE), {}, {}, "NuScenes takes submissions of the tasks semantic, panoptic; Instance"),
        (("NuScenesDataset", SEMANTIC, ["val", "test"]), {}, {}, "of one split, train, val or test, not .*val"),
        (("NuScenesDataset", SEMANTIC), {}, {}, "result does not exist; .*sh tools/test.sh -d .* -- test.save=True"),
        (
            ("NuScenesDataset", SEMANTIC),
            dict(a=dict(segment=[0])),
            dict.fromkeys("abcdefgh", 1),
            r"no prediction for 7 of the 8 scans of split val: b, c, d, e, f, \.\.\.; test it with test.save=True",
        ),
        (("NuScenesDataset", SEMANTIC), dict(a=dict(segment=[0])), dict(a=1, b=1), "for 1 of the 2 .*: b; test it"),
        (
            ("NuScenesPanopticDataset", PANOPTIC),
            dict(a=dict(segment=[0])),
            None,
            "a.npz has segment, but no instance; it is not of the task panoptic",
        ),
        (
            ("ScanNetDataset", INSTANCE),
            dict(a=dict(segment=[0], instance=[0])),
            None,
            "a.npz has segment, instance, but no score, category",
        ),
        (("ScanNetDataset", SEMANTIC), dict(a=dict(segment=[0, 1])), dict(a=3), "has 2 points, the scan 3: .*raw"),
        (
            ("ScanNetDataset", SEMANTIC),
            dict(a=dict(segment=[0, 20, -1])),
            None,
            r"holds the classes \[-1, 20\], .*0..19",
        ),
        (("ScanNet200Dataset", SEMANTIC), dict(a=dict(segment=[200])), None, r"a.npz holds the classes \[200\]"),
        (("SemanticKITTIDataset", SEMANTIC), {"08_0": dict(segment=[-1])}, None, r"08_0.npz holds the classes \[-1\]"),
        (
            ("ScanNetDataset", INSTANCE),
            dict(a=dict(instance=[0], score=[np.nan], category=[3])),
            None,
            "a.npz holds a score that is not a finite number",
        ),
        (
            ("NuScenesPanopticDataset", PANOPTIC),
            dict(a=THINGS),
            None,
            "a.npz holds 1001 instances of class 0, the format has numbers for 999: raise model.min_points",
        ),
        (
            ("SemanticKITTIPanopticDataset", PANOPTIC),
            {"08_0": dict(segment=np.zeros(2**16, int), instance=np.arange(1, 2**16 + 1))},
            None,
            "08_0.npz holds 65536 instances of class 0, .* 65535",
        ),
    ],
)
@pytest.mark.parametrize("output", ["out", "out.zip"])
def test_what_cannot_be_submitted_is_named_and_nothing_is_written(cfg, predictions, sizes, words, output, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match=words) as caught:
        submit(tmp_path, config(*cfg), predictions, output, sizes)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["result"] * bool(predictions)


def test_as_many_instances_as_the_formats_can_number(tmp_path):
    arrays = {key: value[:999] for key, value in THINGS.items()}
    path = submit(tmp_path, config("NuScenesPanopticDataset", PANOPTIC), dict(a=arrays))
    assert sorted(read_nuscenes(files(path)["panoptic/val/a_panoptic.npz"])[1].tolist()) == list(range(1, 1000))
    arrays = dict(segment=np.full(2**16 - 1, 7), instance=np.arange(2**16 - 1) + 1)
    path = submit(tmp_path, config("SemanticKITTIPanopticDataset", PANOPTIC), {"08_0": arrays}, "other")
    assert read_kitti(files(path)["sequences/08/predictions/0.label"])[1].max() == 2**16 - 1


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut"])
def test_a_broken_prediction_is_named(content, tmp_path):
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a.npz cannot be read: .*; remove it and test again"):
        submit(tmp_path, config("ScanNetDataset", SEMANTIC), {}, sizes=dict(a=1))


@pytest.mark.parametrize("output", ["out", "out.zip"])
def test_what_is_there_stays(output, tmp_path):
    predictions, cfg = dict(a=dict(segment=[0])), config("ScanNetDataset", SEMANTIC)
    before = files(submit(tmp_path, cfg, predictions, output).parent)
    with pytest.raises(ValueError, match=rf"{output} exists; remove it, or name another place: --out"):
        submit(tmp_path, cfg, dict(a=dict(segment=[1])), output)
    assert {key: value for key, value in files(tmp_path).items() if "result" not in key} == {
        key: value for key, value in before.items() if "result" not in key
    }


def experiment(name, split):
    """Config of a shrunk experiment in exp/pointins/NAME of the current folder, with weights that find instances."""
    cfg = load(FOLDER / f"{name}.py")
    if "semantic_kitti" in name:
        tiny.write_semantic_kitti(Path(cfg.data.test.data_root), range(11, 22), unlabelled=range(11, 22))
    cfg.data.test.split, cfg.save_path = split, f"exp/pointins/{name}"
    torch.manual_seed(0)
    model = build_model(cfg.model)
    if not name.startswith("semseg"):
        with torch.no_grad():  # most points are of class 3, and lie where they are
            model.seg_head.weight.mul_(0.1)
            model.seg_head.bias[3] += 3
            model.bias_head[-1].weight.zero_()
            model.bias_head[-1].bias.zero_()
    cfg.weight = f"{cfg.save_path}/model/model_best.pth"
    Path(cfg.weight).parent.mkdir(parents=True)
    torch.save(dict(state_dict=model.state_dict()), cfg.weight)
    cfg.dump(f"{cfg.save_path}/config.py")
    return cfg


CASES = {
    "semseg-ptv3-semantic_kitti": [f"{i}_000000" for i in range(11, 22)],
    "panseg-ptv3-semantic_kitti": [f"{i}_000000" for i in range(11, 22)],
    "semseg-ptv3-nuscenes": ["token4"],
    "panseg-ptv3-nuscenes": ["token4"],
    "semseg-ptv3-scannet200": ["scene0707_00"],
    "insseg-ptv3-scannet": ["scene0707_00"],
}


@pytest.mark.parametrize("name", CASES)
def test_a_test_split_is_submitted(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = experiment(name, "test")
    result = TESTERS.build(dict(cfg.test, cfg=cfg, save=True)).test()
    assert result and all(np.isnan(value).all() for value in result.values())
    assert not Path(cfg.save_path, "results").exists()
    log = Path(cfg.save_path, "test.log").read_text()
    assert f"{len(CASES[name])} of {len(CASES[name])} scenes have no labels: they are not scored" in log

    folder = tmp_path / "out"
    assert submission.write_submission(cfg.save_path, cfg, str(folder), build_dataset) == len(CASES[name])
    kept = {scan: dict(np.load(Path(cfg.save_path, "result", f"{scan}.npz"))) for scan in CASES[name]}
    found, dataset = files(folder), build_dataset(cfg.data.test)
    for i, (scan, arrays) in enumerate(kept.items()):
        number = len(dataset.get_data(i)["coord"])
        if "kitti" in name:
            label, instance = read_kitti(found.pop(f"sequences/{scan[:2]}/predictions/000000.label"))
            segment = label_maps.label_table(label_maps.KITTI, label_maps.KITTI_IGNORED, -1)[label]
        elif name == "semseg-ptv3-nuscenes":
            segment = np.frombuffer(found.pop(f"lidarseg/test/{scan}_lidarseg.bin"), np.uint8) - 1
        elif name == "panseg-ptv3-nuscenes":
            label, instance = read_nuscenes(found.pop(f"panoptic/test/{scan}_panoptic.npz"))
            segment = label - 1
        elif name == "insseg-ptv3-scannet":
            read = read_scannet(folder, scan)
            assert len(read) == len(arrays["score"]) >= 1
            np.testing.assert_array_equal(
                [mask for *_, mask in read], arrays["instance"] == np.arange(len(read))[:, None]
            )
            assert {label for label, *_ in read} == {4}
            continue
        else:
            label = np.array(found.pop(f"{scan}.txt").split(), int)
            segment = np.searchsorted(SCANNET200_LABELS, label)
        assert len(segment) == number
        np.testing.assert_array_equal(segment, arrays["segment"])
        if "panseg" in name:
            np.testing.assert_array_equal(instance > 0, arrays["instance"] > 0)
            assert instance.any()
    assert "insseg" in name or set(found) <= {"test/submission.json"}


def test_scenes_without_labels_are_counted_and_need_save(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = experiment("insseg-ptv3-scannet", "val")
    for path in Path(cfg.data.test.data_root, "val", "scene0011_00").glob("segment*"):
        path.unlink()
    with pytest.raises(ValueError, match="scene0011_00: no point has a class"):
        TESTERS.build(dict(cfg.test, cfg=cfg)).test()
    result = TESTERS.build(dict(cfg.test, cfg=cfg, save=True)).test()
    assert "1 of 2 scenes have no labels: they are not scored" in Path(cfg.save_path, "test.log").read_text()
    assert not np.isnan(result["map"]) and Path(cfg.save_path, "results", "instance.json").is_file()
    assert len(list(Path(cfg.save_path, "result").iterdir())) == 2


def test_the_tools_as_a_user_calls_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment("semseg-ptv3-nuscenes", "val")
    environment = dict(os.environ, POINTINS_HOST="embedded", OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT))

    def run(*command):
        return subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=120)

    def tool(*arguments):
        return run(sys.executable, ROOT / "tools" / "submit.py", *arguments)

    folder = "exp/pointins/semseg-ptv3-nuscenes"
    for arguments, words in [
        (("-e", "exp/pointins/none"), "exp/pointins/none/config.py not found"),
        (
            ("-e", folder),
            "keep the predictions first: sh tools/test.sh -d pointins -n semseg-ptv3-nuscenes -- test.save",
        ),
    ]:
        done = tool(*arguments)
        assert done.returncode == 2 and words in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr

    # what the error says to do, on the split of the server
    command = re.search(r"sh tools/(test.sh .*)", done.stderr)[1].split()
    test = ["sh", ROOT / "tools" / command[0], "-p", sys.executable, "-g", "1", *command[1:], "data.test.split=test"]
    assert run(*test).returncode == 0
    done = tool("-e", folder)
    assert done.returncode == 2 and "no prediction for 2 of the 2 scans of split val" in done.stderr
    done = tool("-e", folder, "--split", "test", "--out", "mine.zip")
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "1 scans -> mine.zip", done.stderr
    with zipfile.ZipFile("mine.zip") as archive:
        assert {"lidarseg/test/token4_lidarseg.bin", "test/submission.json"} < set(archive.namelist())
    assert not Path(folder, "submission").exists()
