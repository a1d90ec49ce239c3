"""What `pointins segment` reads and writes of a scan, whatever kind of checkpoint labels it."""

from pathlib import Path

import numpy as np

from pointins_ext.datasets.readers import read_scan
from pointins_ext.datasets.scans import prepare_scan
from pointins_ext.datasets.upright import turned, upright_turn
from pointins_ext.visualization import panel, render_points

MAX_SHOWN = 400_000  # points of a picture, which has 307,200 pixels


def open_scan(path: str, up: str | None) -> tuple[dict, np.ndarray, dict]:
    """The scene of a file, the rotation (3,3) that takes its axis `up` to z, and the scene turned and prepared."""
    scene = read_scan(path)
    turn = upright_turn(scene["coord"], up)
    return scene, turn, prepare_scan(turned(scene, turn))


def file_coord(scene: dict) -> np.ndarray:
    """(N,3) coordinates as the file has them: double where they were moved to keep their digits."""
    shift = scene["coord_shift"]
    return scene["coord"] + shift if np.any(shift) else scene["coord"]


def write_picture(path: Path, scene: dict, titles: list[str], colors: list[np.ndarray]) -> None:
    """A .png of an upright scene, once in its own colors and once in each of `colors`, (N,3) 0..255."""
    shown = slice(None, None, -(-len(scene["coord"]) // MAX_SHOWN))
    images = [render_points(scene["coord"][shown], color[shown]) for color in (scene["color"], *colors)]
    panel(images, ["Scan", *titles], len(images), path)
