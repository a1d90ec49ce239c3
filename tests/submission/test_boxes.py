"""Boxes in JSON: nuScenes' own class and KITTI's formula give back the corners they came from."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pointins_ext.instances.boxes import Boxes
from pointins_ext.submission.boxes import CONVENTIONS, write_boxes


def drawn(number=9):
    rng = np.random.default_rng(0)
    size = np.sort(rng.uniform(0.2, 5, (number, 3)), axis=1)[:, [2, 1, 0]]
    return Boxes(rng.uniform(-40, 40, (number, 3)), size, rng.uniform(-np.pi / 2, np.pi / 2, number))


@pytest.fixture
def written(tmp_path):
    boxes = drawn()
    write_boxes(tmp_path / "new" / "a.boxes.json", boxes, np.arange(9) / 10, np.arange(9) + 5)
    return boxes, json.loads((tmp_path / "new" / "a.boxes.json").read_text())


def assert_same_corners(found, expected):
    """Corners (8, 3) in any order."""
    apart = np.linalg.norm(found[:, None] - expected, axis=2)
    assert apart.min(axis=0).max() < 1e-9 and apart.min(axis=1).max() < 1e-9


def test_every_box_has_every_field(written):
    boxes, file = written
    assert file["conventions"] == CONVENTIONS and len(file["boxes"]) == len(boxes)
    fields = {*CONVENTIONS, "instance", "score", "num_points", "stuff"} - {"units", "frame"}
    for i, box in enumerate(file["boxes"]):
        assert set(box) == fields
        assert (box["instance"], box["score"], box["num_points"]) == (i, i / 10, i + 5)
        assert box["yaw"] == boxes.yaw[i] and -np.pi <= box["rotation_y"] <= 0 and box["stuff"] is False
    assert file["turn"] == np.eye(3).tolist()


def test_planes_are_marked_and_the_turn_leads_from_the_file_to_the_boxes(tmp_path):
    turn, stuff = Rotation.from_euler("x", 90, degrees=True).as_matrix(), np.arange(9) % 3 == 0
    write_boxes(tmp_path / "a.json", drawn(), np.ones(9), np.ones(9), stuff, turn)
    file = json.loads((tmp_path / "a.json").read_text())
    assert [box["stuff"] for box in file["boxes"]] == stuff.tolist()
    np.testing.assert_allclose(np.array(file["turn"]) @ [0, 1, 0], [0, 0, 1], atol=1e-12)  # y was up in the file


def test_nuscenes_fields_give_the_corners_back(written):
    for corner, box in zip(written[0].corners(), written[1]["boxes"], strict=True):
        width, length, height = box["size"]
        around = np.array(np.meshgrid(*[[-0.5, 0.5]] * 3)).reshape(3, -1).T * [length, width, height]
        w, x, y, z = box["rotation"]
        assert_same_corners(Rotation.from_quat([x, y, z, w]).apply(around) + box["translation"], corner)


def test_nuscenes_devkit_gives_the_corners_back(written):
    reason = "nuscenes-devkit, or what it imports, is not installed: pip install nuscenes-devkit"
    classes = pytest.importorskip("nuscenes.utils.data_classes", reason=reason)
    quaternion = pytest.importorskip("pyquaternion", reason=reason)
    for boxes, box in zip(written[0].corners(), written[1]["boxes"], strict=True):
        found = classes.Box(box["translation"], box["size"], quaternion.Quaternion(box["rotation"]))
        assert_same_corners(found.corners().T, boxes)
        assert found.orientation.yaw_pitch_roll[0] == pytest.approx(box["yaw"])


def test_kitti_fields_give_the_corners_back(written):
    """As KITTI's readers compute them: corners about the center of the bottom, turned about y, which points down."""
    for corner, box in zip(written[0].corners(), written[1]["boxes"], strict=True):
        height, width, length = box["dimensions"]
        x = np.array([1, 1, -1, -1, 1, 1, -1, -1]) * length / 2
        y = np.array([0, 0, 0, 0, -1, -1, -1, -1]) * height
        z = np.array([1, -1, -1, 1, 1, -1, -1, 1]) * width / 2
        cos, sin = np.cos(box["rotation_y"]), np.sin(box["rotation_y"])
        camera = np.column_stack([cos * x + sin * z, y, cos * z - sin * x]) + box["location"]
        assert_same_corners(np.column_stack([camera[:, 2], -camera[:, 0], -camera[:, 1]]), corner)


def test_no_boxes_and_wrong_lengths(tmp_path):
    none = Boxes(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0))
    write_boxes(tmp_path / "a.json", none, [], [])
    assert json.loads((tmp_path / "a.json").read_text())["boxes"] == []
    with pytest.raises(ValueError, match=r"score has shape \(2,\), expected \(9,\)"):
        write_boxes(tmp_path / "b.json", drawn(), [1, 2], np.ones(9))
    with pytest.raises(ValueError, match="num_points"):
        write_boxes(tmp_path / "b.json", drawn(), np.ones(9), [1, 2])
    assert not (tmp_path / "b.json").exists()
