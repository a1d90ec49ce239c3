"""Two global views and nothing local."""

import copy

import numpy as np
import pytest

from pointins_ext.host import NAME, TRANSFORMS

OPTIONS = dict(
    view_keys=("coord", "origin_coord", "cluster"),
    global_view_scale=(0.3, 0.6),
    global_transform=[dict(type="RandomFlip", p=0.5)],
)


def scene(number=200):
    coord = np.random.default_rng(0).random((number, 3)).astype(np.float32)
    return dict(coord=coord, origin_coord=coord.copy(), cluster=np.arange(number), name="room")


def views(**options):
    np.random.seed(3)
    return TRANSFORMS.build(dict(OPTIONS, **options))(copy.deepcopy(scene()))


def test_two_global_views_that_keep_rows_together():
    result = views(type="GlobalViewGenerator")
    assert not [key for key in result if key.startswith("local_")]
    assert len(result["global_offset"]) == 2 and result["global_offset"][-1] == len(result["global_coord"])
    assert 60 <= result["global_offset"][0] < 120
    assert (result["global_origin_coord"] == scene()["coord"][result["global_cluster"]]).all()
    assert np.allclose(np.abs(result["global_coord"]), result["global_origin_coord"])


@pytest.mark.skipif(NAME != "embedded", reason="Pointcept's own class cannot do without local views")
def test_the_embedded_hosts_own_generator_without_local_views():
    mine, theirs = views(type="GlobalViewGenerator"), views(type="MultiViewGenerator", local_view_num=0)
    assert mine.keys() == theirs.keys()
    assert all(np.array_equal(mine[key], theirs[key]) for key in mine)


def test_local_options_are_refused():
    with pytest.raises(ValueError, match="local_view_num.*MultiViewGenerator"):
        TRANSFORMS.build(dict(type="GlobalViewGenerator", local_view_num=2))
