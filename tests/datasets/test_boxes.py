import os
from pathlib import Path

import numpy as np
import pytest
import torch

from pointins_ext.datasets.boxes import ClusterBoxes
from pointins_ext.host import Compose

SWEEP = Path(__file__).parents[3] / "shared/data/semantickitti/sequences/00"
CARS = ((4.0, 1.8, 1.5, 0.3), (4.4, 1.9, 1.6, -1.2), (2.0, 0.8, 1.7, 1.5))  # length, width, height, yaw
PLACES = ((5.0, 3.0, 0.5), (-4.0, 6.0, 1.1), (2.0, -6.0, 1.7))  # middle of the bottom: roofs in line are a plane


def turned(point, yaw):
    cos, sin = np.cos(yaw), np.sin(yaw)
    return point @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])


def shell(length, width, height, step=0.16):
    """Points on the surface of a cuboid around the origin, its corners among them."""
    axes = [np.linspace(-side / 2, side / 2, round(side / step) + 1) for side in (length, width, height)]
    point = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    on_surface = np.isclose(np.abs(point), np.array([length, width, height]) / 2).any(axis=1)
    return point[on_surface]


def street(seed=0):
    """Ground of 30 x 30 m and cuboids above it, shuffled: coord (N,3), owner (N,), boxes (3,7)."""
    generator = np.random.default_rng(seed)
    ground = np.append(generator.uniform(-15, 15, (30000, 2)), np.zeros((30000, 1)), axis=1)
    boxes = np.array([[*place[:2], place[2] + car[2] / 2, *car] for place, car in zip(PLACES, CARS, strict=True)])
    cars = [turned(shell(*box[3:6]), box[6]) + box[:3] for box in boxes]
    coord = np.concatenate([ground, *cars]).astype(np.float32)
    owner = np.repeat([-1, 0, 1, 2], [len(ground), *map(len, cars)])
    order = generator.permutation(len(coord))
    return coord[order], owner[order], boxes


def assert_same_boxes(box, expected, atol):
    np.testing.assert_allclose(box[:, :6], expected[:, :6], atol=atol)
    turn = (box[:, 6] - expected[:, 6]) / np.pi
    np.testing.assert_allclose(turn - np.round(turn), 0, atol=atol)


@pytest.mark.parametrize("method", ["hdbscan", "components"])
def test_cuboids_on_a_street_are_found_with_their_boxes(method):
    coord, owner, boxes = street()
    scene = ClusterBoxes(method=method, radius=0.5)(dict(coord=coord))
    assert scene["cluster"].dtype == np.int64 and scene["box"].dtype == np.float32
    assert scene["cluster"].shape == (len(coord),) and scene["box"].shape == (len(coord), 7)
    np.testing.assert_array_equal(scene["cluster"] >= 0, owner >= 0)
    assert len({*zip(scene["cluster"], owner, strict=True)}) == 4  # one to one
    assert set(scene["cluster"]) == {-1, 0, 1, 2} and not scene["box"][owner < 0].any()
    assert_same_boxes(scene["box"][owner >= 0], boxes[owner[owner >= 0]], atol=0.01)


def test_the_frame_is_that_of_origin_coord():
    coord, owner, boxes = street()
    scene = ClusterBoxes(method="components")(dict(coord=turned(coord, 1.0) * 1.1, origin_coord=coord))
    assert_same_boxes(scene["box"][owner >= 0], boxes[owner[owner >= 0]], atol=0.01)


def test_without_ground_removal_the_ground_joins_the_clusters():
    coord, owner, _ = street()
    options = dict(method="components", radius=0.8, min_points=2, max_extent=100.0, voxel=0.2)
    scene = ClusterBoxes(remove_ground=False, **options)(dict(coord=coord))
    assert (scene["cluster"][owner < 0] >= 0).mean() > 0.99
    assert (ClusterBoxes(**options)(dict(coord=coord))["cluster"][owner < 0] < 0).all()


def test_a_scene_without_objects_has_no_clusters():
    coord, owner, _ = street()
    scene = ClusterBoxes()(dict(coord=coord[owner < 0]))
    assert (scene["cluster"] == -1).all() and not scene["box"].any() and scene["box"].shape[1] == 7


def test_both_keys_follow_the_points_of_later_transforms():
    coord, owner, _ = street()
    scene = dict(coord=coord, strength=owner.astype(np.float32), name="a", place=np.zeros(3))
    steps = [
        dict(type="ClusterBoxes", method="components"),
        dict(type="RandomDropout", dropout_ratio=0.5, dropout_application_ratio=1.0),
    ]
    dropped = Compose(steps)(scene)
    assert sorted(dropped["index_valid_keys"]) == ["box", "cluster", "coord", "strength"]
    assert len(dropped["cluster"]) == len(dropped["box"]) == len(dropped["coord"]) == len(coord) // 2
    np.testing.assert_array_equal(dropped["cluster"] >= 0, dropped["strength"] >= 0)
    kept = ClusterBoxes(method="components")(dict(coord=coord, index_valid_keys=("coord", "height")))
    assert kept["index_valid_keys"] == ["coord", "height", "cluster", "box"]


def test_views_carry_clusters_and_boxes():
    coord, _, boxes = street()
    view = dict(type="MultiViewGenerator", view_keys=("coord", "origin_coord", "cluster", "box"), local_view_num=0)
    view["global_transform"] = [
        dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=1.0),
        dict(type="RandomDropout", dropout_ratio=0.3, dropout_application_ratio=1.0),
    ]
    copy = dict(type="Copy", keys_dict={"coord": "origin_coord"})
    views = Compose([copy, dict(type="ClusterBoxes", method="components"), view])(dict(coord=coord))
    cluster, box = views["global_cluster"], views["global_box"]
    assert len(cluster) == len(box) == len(views["global_coord"]) == views["global_offset"][-1] > 100
    for number in np.unique(cluster[cluster >= 0]):
        found = np.unique(box[cluster == number], axis=0)
        assert len(found) == 1 and np.abs(boxes[:, :6] - found[0, :6]).max(axis=1).min() < 0.01


# -- cache ----------------------------------------------------------------------------------------------------------


def test_the_cache_is_used_and_gives_the_same(tmp_path, monkeypatch):
    coord, _, _ = street()
    transform = ClusterBoxes(method="components", cache_dir=tmp_path / "new")
    first = transform(dict(coord=coord, name="a/b"))
    assert os.listdir(tmp_path / "new") == ["a_b.npz"]
    monkeypatch.setattr(ClusterBoxes, "cluster", None)  # must not be called again
    second = transform(dict(coord=coord, name="a/b"))
    for key in ("cluster", "box"):
        np.testing.assert_array_equal(first[key], second[key])
        assert first[key].dtype == second[key].dtype


def test_a_stale_cache_is_an_error(tmp_path):
    coord, _, _ = street()
    options = dict(method="components", cache_dir=tmp_path)
    ClusterBoxes(**options)(dict(coord=coord, name="a"))
    for changed in (coord[:-1], coord + np.float32(0.1)):
        with pytest.raises(ValueError, match=r"a.npz was made from .* points .*put ClusterBoxes before the random"):
            ClusterBoxes(**options)(dict(coord=changed, name="a"))
    with pytest.raises(ValueError, match='"radius": 0.5.*"radius": 0.4'):
        ClusterBoxes(radius=0.4, **options)(dict(coord=coord, name="a"))
    (tmp_path / "a.npz").write_bytes(b"PK broken")
    with pytest.raises(ValueError, match="a.npz: not a file of ClusterBoxes.*delete it"):
        ClusterBoxes(**options)(dict(coord=coord, name="a"))


def test_an_interrupted_write_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "savez_compressed", lambda file, **arrays: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ClusterBoxes(method="components", cache_dir=tmp_path)(dict(coord=street()[0], name="a"))
    assert not (tmp_path / "a.npz").exists()


def test_unusable_options_are_named(tmp_path):
    with pytest.raises(ValueError, match="voxel is 0, expected an edge"):
        ClusterBoxes(voxel=0)
    with pytest.raises(ValueError, match="no key 'name'"):
        ClusterBoxes(cache_dir=tmp_path)(dict(coord=street()[0]))
    with pytest.raises(ValueError, match="'dbscan' is unknown"):
        ClusterBoxes(method="dbscan")(dict(coord=street()[0]))


@pytest.mark.skipif(not SWEEP.exists(), reason=f"no SemanticKITTI sweep at {SWEEP}")
def test_cars_of_a_real_sweep_are_clusters_of_plausible_size():
    coord = np.fromfile(SWEEP / "velodyne/000000.bin", np.float32).reshape(-1, 4)[:, :3]
    label = np.fromfile(SWEEP / "labels/000000.label", np.uint32)
    # components: HDBSCAN takes seconds
    scene = ClusterBoxes(method="components", min_points=15)(dict(coord=coord))
    instance = np.where(np.isin(label & 0xFFFF, (10, 252)) & (label >> 16 > 0), label, 0)
    overlaps, sizes = [], []
    for number in np.unique(instance[instance > 0]):
        own = instance == number
        if own.sum() < 200:
            continue
        cluster = np.bincount(scene["cluster"][own] + 1)[1:].argmax()
        other = scene["cluster"] == cluster
        overlaps.append((own & other).sum() / (own | other).sum())
        sizes.append(scene["box"][other][0, 3:6])
    assert len(overlaps) == 4 and np.median(overlaps) > 0.85 and min(overlaps) > 0.5
    length, width, height = np.median(sizes, axis=0)
    assert 3 < length < 5.5 and 1 < width < 2.5 and 1 < height < 2.2
    assert np.isfinite(scene["box"]).all() and torch.from_numpy(scene["box"]).dtype == torch.float32
