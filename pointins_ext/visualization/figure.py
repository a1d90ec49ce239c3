"""Figures of rendered scenes, written as PNG through matplotlib's off-screen canvas."""

from pathlib import Path

import numpy as np

from pointins_ext.errors import UserError
from pointins_ext.files import whole_file

from .render import Camera, instance_colors, match_colors, render_points, visible_points

PIXELS_PER_INCH = 150
VIEW_SIZE = (720, 900)
ARROW_CELL = 32  # pixels; one arrow per cell of this size
FADED = 0.22  # how much of its color a point keeps under the arrows


def panel(images, titles, columns, path):
    """Writes images, (H, W, 3) uint8 each, under their titles in a grid of `columns`; returns the path.

    Raises ValueError where the number of titles differs from that of the images.
    """
    if len(images) != len(titles) or not images:
        raise UserError(f"panel got {len(images)} images and {len(titles)} titles, expected equally many, at least 1")
    figure, axes = _grid(-(-len(images) // columns), columns, np.shape(images[0]))
    for axis, image, title in zip(axes, images, titles, strict=False):
        axis.imshow(image)
        axis.set_title(title, fontsize=11)
    return save_figure(figure, path)


def instances_figure(scenes, path, azimuth=45.0, elevation=38.0, point_size=5):
    """Writes one row a scene: scan, predicted instances, true instances, arrows to the predicted centers.

    A scene has coord (N, 3) meters, color (N, 3) 0..255, predicted (N,) and instance (N,) ids, -1 = none, and offset
    (N, 3) meters to the predicted center; name is optional. Predicted instances wear the color of the true one that
    they overlap most. Returns the path. Raises ValueError for no scene and KeyError for a missing entry.
    """
    check_scenes("instances_figure", scenes, {"coord", "color", "predicted", "instance", "offset"})
    figure, axes = _grid(len(scenes), 4, VIEW_SIZE)
    for row, scene in zip(axes.reshape(-1, 4), scenes, strict=True):
        _scene_row(row, scene, azimuth, elevation, point_size)
    return save_figure(figure, path)


def check_scenes(caller, scenes, keys):
    """Raises ValueError for no scene, KeyError for one that lacks any of the set `keys`."""
    if not scenes:
        raise UserError(f"{caller} got no scene, expected at least 1")
    for i, scene in enumerate(scenes):
        missing = keys - set(scene)
        if missing:
            raise KeyError(f"scene {i} ({scene.get('name', 'unnamed')}) lacks {', '.join(sorted(missing))}")


def _scene_row(axes, scene, azimuth, elevation, point_size):
    coord, truth = scene["coord"], np.asarray(scene["instance"])
    predicted = match_colors(scene["predicted"], truth)
    camera = Camera.fit(coord, VIEW_SIZE, azimuth, elevation)
    painted = instance_colors(predicted)
    pale = 255 - FADED * (255 - painted.astype(float))
    views = (
        (scene["color"], f"Scan {scene.get('name', '')}".strip()),
        (painted, f"Predicted: {_count(predicted)} instances"),
        (instance_colors(truth), f"Truth: {_count(truth)} instances"),
        (pale, "Offsets to the predicted centers"),
    )
    for axis, (color, title) in zip(axes, views, strict=True):
        axis.imshow(render_points(coord, color, point_size=point_size, camera=camera))
        axis.set_title(title, fontsize=11)
    _arrows(axes[3], scene, predicted, painted, camera, point_size)


def _arrows(axis, scene, predicted, painted, camera, point_size):
    shown = visible_points(scene["coord"], camera, point_size)
    half = ARROW_CELL // 2
    index = shown[half::ARROW_CELL, half::ARROW_CELL].ravel()
    index = index[index >= 0]
    index = index[predicted[index] >= 0]
    start = camera.project(scene["coord"][index])[0]
    end = camera.project(scene["coord"][index] + scene["offset"][index])[0]
    axis.quiver(
        *start.T,
        *(end - start).T,
        color=painted[index] * 0.8 / 255,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.0035,
        headwidth=4.5,
        headlength=5,
        headaxislength=4.5,
    )
    axis.set_xlim(0, camera.size[1])
    axis.set_ylim(camera.size[0], 0)


def _count(ids):
    return len(np.unique(ids[ids >= 0]))


def _grid(rows, columns, shape):
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install pointins_ext[viz]") from error
    width = 4.2
    height = width * shape[0] / shape[1] + 0.35
    figure = Figure(figsize=(columns * width, rows * height), dpi=PIXELS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.axis("off")
    return figure, axes


def save_figure(figure, path):
    """Writes a matplotlib figure as PNG, whole or not at all; returns the path."""
    path = Path(path)
    with whole_file(path) as stream:
        figure.savefig(stream, format="png", facecolor="white")
    return path
