"""The bytes of each benchmark's files, read back by the rules of its official script."""

import csv
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointins_ext.embedded import label_maps
from pointins_ext.evaluation import panoptic_quality
from pointins_ext.host import Config
from pointins_ext.submission import formats
from pointins_ext.submission.formats import KITTI_LABELS, NUSCENES_LABELS, SCANNET200_LABELS, SCANNET_LABELS
from tests.fixtures.shrunk_downstream import FOLDER
from tests.fixtures.submissions import (
    INSTANCE,
    PANOPTIC,
    SEMANTIC,
    THINGS,
    config,
    files,
    read_kitti,
    read_nuscenes,
    read_scannet,
    submit,
)

LABELS = Path(
    os.environ.get("POINTCEPT_ROOT", "none"),
    "pointcept/datasets/preprocessing/scannet/meta_data/scannetv2-labels.combined.tsv",
)


META = dict(use_camera=False, use_lidar=True, use_radar=False, use_map=False, use_external=False)


def test_original_ids_of_all_classes():
    table = label_maps.label_table(label_maps.KITTI, label_maps.KITTI_IGNORED, -1)
    np.testing.assert_array_equal(table[list(KITTI_LABELS)], np.arange(19))
    assert KITTI_LABELS == tuple(labels[0] for labels in label_maps.KITTI.values())  # never the moving ones
    assert NUSCENES_LABELS == tuple(range(1, 17)) and len(label_maps.NUSCENES) == 16
    names = Config.fromfile(str(FOLDER / "_base_" / "labels_scannet.py")).data.names
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
    names = Config.fromfile(str(FOLDER / "_base_" / f"labels_{name}.py")).data.names
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


def test_as_many_instances_as_the_formats_can_number(tmp_path):
    arrays = {key: value[:999] for key, value in THINGS.items()}
    path = submit(tmp_path, config("NuScenesPanopticDataset", PANOPTIC), dict(a=arrays))
    assert sorted(read_nuscenes(files(path)["panoptic/val/a_panoptic.npz"])[1].tolist()) == list(range(1, 1000))
    arrays = dict(segment=np.full(2**16 - 1, 7), instance=np.arange(2**16 - 1) + 1)
    path = submit(tmp_path, config("SemanticKITTIPanopticDataset", PANOPTIC), {"08_0": arrays}, "other")
    assert read_kitti(files(path)["sequences/08/predictions/0.label"])[1].max() == 2**16 - 1
