"""Streets: things apart, some close, the sensor's place free."""

import numpy as np
import pytest

from pointins_ext.datasets.drives import CLASS_NAMES, THINGS
from pointins_ext.datasets.synthetic import drive_layout, room_layout
from pointins_ext.datasets.synthetic.room_shapes import bounds
from tests.fixtures.tiny_drives import NUM_DRIVES, REACH


@pytest.fixture(scope="module")
def streets():
    return [drive_layout.street(np.random.default_rng(seed), REACH) for seed in range(NUM_DRIVES)]


def test_things_stand_apart_some_of_them_close(streets):
    gaps = []
    for items in streets:
        things = [item for item in items if CLASS_NAMES.index(item.name) in THINGS]
        shapes = [room_layout.outline(item.parts) for item in things]
        low, high = (np.stack(b)[:, :2] for b in zip(*(bounds(item.parts) for item in things), strict=True))
        near = (low[:, None] < high + 1.5).all(axis=2)
        for a, b in np.argwhere(np.triu(near & near.T, 1)):
            gap = room_layout.separation(shapes[a], shapes[b])[0].max(axis=2).min()
            gaps.append((gap, things[a].name == things[b].name == "car"))
    gap, cars = np.array(gaps).T
    assert gap.min() > 0.03
    assert 50 < (gap[cars == 1] < 1.01).sum() and gap[cars == 1].min() > 0.29
    assert (gap[cars == 0] < 0.5).sum() > 50


def test_the_sensors_own_place_is_free(streets):
    for items in streets:
        corner = np.stack([bounds(item.parts) for item in items if CLASS_NAMES.index(item.name) in THINGS])[..., :2]
        ahead = (corner[:, 0, 0] < drive_layout.EGO - 1) & (corner[:, 1, 0] > 1 - drive_layout.EGO)
        assert not (ahead & (corner[:, 0, 1] < 0) & (corner[:, 1, 1] > -drive_layout.LANE)).any()
