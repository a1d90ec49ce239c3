"""Upright boxes as JSON, with the field names of nuScenes and of KITTI."""

import json

import numpy as np

from pointins_ext.evaluation.instance import require_length
from pointins_ext.files import write_text
from pointins_ext.instances.boxes import Boxes
from pointins_ext.ops import as_array

CONVENTIONS = dict(
    units="meters, radians",
    frame="that of the scan turned by `turn`: upright = turn @ scan; z is up",
    translation="nuScenes: center",
    size="nuScenes: width, length, height; length >= width",
    rotation="nuScenes: quaternion w, x, y, z; turns x into the direction of the length",
    yaw="angle of that direction from x towards y, -pi/2 <= yaw < pi/2: which end is the front is unknown",
    dimensions="KITTI: height, width, length",
    location="KITTI: center of the bottom in camera axes: -y, -z, x of the scan; a camera at its origin looks along x",
    rotation_y="KITTI: angle about the camera's y axis, -yaw - pi/2, within [-pi, 0]",
)


def write_boxes(path, boxes: Boxes, score, num_points, stuff=None, turn=None) -> None:
    """Writes I boxes with their score (I,) and num_points (I,) as one JSON file: `conventions`, `turn`, and `boxes`.

    stuff (I,) bool marks planes; `turn` (3, 3) is the rotation from the frame of the file to that of the boxes, where z
    is up (default: the same frame).

    Every entry has the fields of CONVENTIONS, and score, num_points, stuff, and instance, its place 0..I-1. Detection
    results of nuScenes also ask for sample_token and detection_name, those of KITTI for a type and a 2D box in the
    image: a scan alone has neither. Raises ValueError where the lengths differ.
    """
    score, num_points = as_array(score), as_array(num_points)
    require_length("score", score, len(boxes))
    require_length("num_points", num_points, len(boxes))
    stuff = np.zeros(len(boxes), bool) if stuff is None else as_array(stuff)
    columns = _fields(boxes) | dict(score=score.astype(float), num_points=num_points.astype(int), stuff=stuff)
    turn = np.eye(3) if turn is None else as_array(turn)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    entries = [dict(instance=i, **dict(zip(columns, row, strict=True))) for i, row in enumerate(rows)]
    write_text(path, json.dumps(dict(conventions=CONVENTIONS, turn=turn.tolist(), boxes=entries), indent=1))


def _fields(boxes):
    """Field -> its values (I, ...)."""
    (x, y, z), (length, width, height), yaw = boxes.center.T, boxes.size.T, boxes.yaw
    zero = np.zeros_like(yaw)
    return dict(
        translation=boxes.center,
        size=np.stack([width, length, height], axis=1),
        rotation=np.stack([np.cos(yaw / 2), zero, zero, np.sin(yaw / 2)], axis=1),
        yaw=yaw,
        dimensions=np.stack([height, width, length], axis=1),
        location=np.stack([-y, height / 2 - z, x], axis=1),
        rotation_y=-yaw - np.pi / 2,
    )
