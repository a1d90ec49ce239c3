"""Views of a scene: their size, their points, what they share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointins_ext.embedded.transform import Compose
from tests.fixtures.transform_scenes import AFFINE, make_scene, quick, seeds


def make_views(seed=0, global_transform=AFFINE, local_transform=AFFINE, **kwargs):
    np.random.seed(seed)
    steps = [
        dict(type="Copy", keys_dict=dict(coord="origin_coord")),
        dict(
            type="MultiViewGenerator",
            max_size=200,
            global_shared_transform=[dict(type="NormalizeColor")],
            global_transform=global_transform,
            local_transform=local_transform,
            **kwargs,
        ),
    ]
    return Compose(steps)(make_scene(seed))


@quick
@given(seed=seeds, local=st.sampled_from([0, 4]))
def test_views_are_affine_images_of_scene_points_within_the_size_range(seed, local):
    views = make_views(seed, local_view_num=local)
    rows = {tuple(row) for row in make_scene(seed)["coord"]}
    for prefix, number, (low, high) in (("global", 2, (0.4, 1.0)), ("local", local, (0.1, 0.4))):
        if not number:
            assert not [key for key in views if key.startswith(prefix)]
            continue
        offset = views[f"{prefix}_offset"]
        sizes = np.diff(offset, prepend=0)
        assert len(sizes) == number and (low * 200 - 1 <= sizes).all() and (sizes <= high * 200).all()
        origin = views[f"{prefix}_origin_coord"]
        assert {tuple(row) for row in origin} <= rows
        for part in np.split(np.arange(offset[-1]), offset[:-1]):
            homogeneous = np.c_[origin[part], np.ones(len(part))]
            fit, *_ = np.linalg.lstsq(homogeneous, views[f"{prefix}_coord"][part], rcond=None)
            assert homogeneous @ fit == pytest.approx(views[f"{prefix}_coord"][part], abs=1e-4)


def test_a_view_holds_the_nearest_points_of_its_center():
    views = make_views(global_transform=[], local_view_num=0)
    scene = make_scene()["coord"]
    for part in np.split(views["global_origin_coord"], views["global_offset"][:-1]):
        distance = np.linalg.norm(scene - part[0], axis=1)
        assert set(np.argsort(distance)[: len(part)]) == {int(np.argmin(((scene - p) ** 2).sum(1))) for p in part}


def test_shared_transform_reaches_global_views_only_and_shared_view_repeats_the_points():
    views = make_views(shared_global_view=True, local_view_num=2)
    assert views["global_color"].max() <= 1 < views["local_color"].max()
    first, second = np.split(views["global_origin_coord"], views["global_offset"][:-1])
    assert (first == second).all()


def test_view_transform_that_tears_keys_apart_is_an_error():
    drop = [dict(type="RandomDropout", dropout_application_ratio=1)]
    with pytest.raises(ValueError, match="index_valid_keys"):
        make_views(global_transform=drop)


def test_missing_view_key_is_named():
    with pytest.raises(KeyError, match="MultiViewGenerator.*'strength'"):
        make_views(view_keys=("coord", "strength"))
