"""What cameras see of a room."""

import numpy as np

from pointins_ext.datasets.synthetic import room_scan


def test_objects_show_the_side_of_the_cameras_only(rooms):
    """The cameras stand towards +x, +y: hardly any visible surface faces away from there, or down."""
    for scene in rooms:
        normal = scene["normal"][scene["instance"] >= 0]
        diagonal = normal[:, :2].sum(axis=1)
        assert (diagonal < -1.3).sum() < 0.1 * (diagonal > 1.3).sum()
        assert (normal[:, 2] < -0.9).mean() < 0.01


def test_a_wall_hides_what_lies_behind_it():
    rng = np.random.default_rng(0)
    front, back = rng.uniform(-0.5, 0.5, (2, 8000, 3))
    front[:, 0], back[:, 0] = 1.0, 0.0
    back[:, 1:] *= 2
    coord, normal = np.concatenate([front, back]), np.tile([1.0, 0.0, 0.0], (16000, 1))
    seen = room_scan.visible(coord, normal, np.array([3.0, 0.0, 0.0]))
    shadow = (np.abs(back[:, 1:]) < 0.7).all(axis=1)
    beside = (np.abs(back[:, 1:]) > 0.8).any(axis=1)
    assert seen[:8000].mean() > 0.99
    assert seen[8000:][shadow].mean() < 0.01 and seen[8000:][beside].mean() > 0.99
    assert not room_scan.visible(coord, -normal, np.array([3.0, 0.0, 0.0])).any()
