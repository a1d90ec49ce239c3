"""Point clouds to images in NumPy: orthographic camera, z-buffer of splats, eye-dome shading, instance colors."""

from dataclasses import dataclass

import numpy as np

from pointins_ext.errors import UserError

NO_INSTANCE = (196, 196, 196)
PALETTE = np.array(
    [
        (230, 25, 75),
        (60, 160, 75),
        (0, 110, 220),
        (245, 130, 48),
        (145, 30, 180),
        (20, 190, 200),
        (240, 50, 230),
        (235, 195, 0),
        (128, 70, 20),
        (0, 0, 140),
        (150, 205, 40),
        (250, 140, 160),
        (0, 115, 110),
        (170, 120, 250),
        (130, 0, 30),
        (100, 110, 0),
    ]
)
DARKENING = 5.0  # strength of the eye-dome shading
SHADE_REACH = 0.05  # depth step, as a share of the scene's size, beyond which shading grows no darker


@dataclass(frozen=True)
class Camera:
    """Orthographic camera: rows of `axes` (3, 3) are right, up and towards the viewer; `scale` pixels a meter."""

    axes: np.ndarray
    center: np.ndarray  # (2,) what stands in the middle of the image, meters along right and up
    scale: float
    size: tuple  # (height, width)

    @classmethod
    def fit(cls, coord, size=(480, 640), azimuth=45.0, elevation=35.0, margin=0.04):
        """Camera that sees all of coord (N, 3), z up, from `azimuth` (degrees from +x to +y) and `elevation` above."""
        a, e = np.deg2rad([azimuth, elevation])
        right = np.array([-np.sin(a), np.cos(a), 0.0])
        viewer = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
        axes = np.stack([right, np.cross(viewer, right), viewer])
        flat = np.asarray(coord, dtype=np.float64) @ axes[:2].T
        if len(flat) == 0:
            return cls(axes, np.zeros(2), 1.0, tuple(size))
        low, high = flat.min(axis=0), flat.max(axis=0)
        room = np.array([size[1], size[0]]) * (1 - 2 * margin)
        return cls(axes, (low + high) / 2, float((room / np.maximum(high - low, 1e-6)).min()), tuple(size))

    def project(self, coord):
        """Image position (N, 2) as column and row, and distance from the viewer (N,) in meters, up to a constant."""
        right, up, near = self.axes @ np.asarray(coord, dtype=np.float64).T
        column = self.size[1] / 2 + (right - self.center[0]) * self.scale
        row = self.size[0] / 2 - (up - self.center[1]) * self.scale
        return np.stack([column, row], axis=1), -near


def visible_points(coord, camera, point_size=3):
    """(H, W) index of the point that each pixel shows, -1 where none; points are discs of `point_size` pixels.

    Behind every disc lies one of twice its size, set back by its width: it closes the gaps between the samples of a
    surface and hides nothing that is clearly in front of or next to it.
    """
    height, width = camera.size
    position, distance = camera.project(coord)
    set_back = 2 * point_size / camera.scale
    order = np.argsort(np.concatenate([distance, distance + set_back]), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    cell = np.floor(position).astype(np.int64)
    nearest = np.full(height * width, len(order))
    for ranks, size in ((rank[: len(cell)], point_size), (rank[len(cell) :], 2 * point_size)):
        for dy, dx in _disc(size):
            column, row = cell[:, 0] + dx, cell[:, 1] + dy
            inside = np.flatnonzero((column >= 0) & (column < width) & (row >= 0) & (row < height))
            np.minimum.at(nearest, row[inside] * width + column[inside], ranks[inside])
    return np.append(order % max(len(cell), 1), -1)[nearest].reshape(height, width)


def render_points(
    coord, color, size=(480, 640), azimuth=45.0, elevation=35.0, point_size=3, background=(255, 255, 255), camera=None
):
    """Image (H, W, 3) uint8 of coord (N, 3) in meters with color (N, 3) 0..255; the nearest point wins a pixel.

    Pixels behind a depth step are darkened, so that edges read without normals. `camera` overrides size and angles.
    Raises ValueError where color does not fit coord.
    """
    coord, color = np.asarray(coord), np.asarray(color)
    if color.shape != coord.shape:
        raise UserError(f"color has shape {color.shape}, expected that of coord, {coord.shape}")
    camera = camera or Camera.fit(coord, size, azimuth, elevation)
    shown = visible_points(coord, camera, point_size)
    image = np.empty((*camera.size, 3))
    image[:] = background
    hit = shown >= 0
    if hit.any():
        distance = np.full(camera.size, np.inf)
        distance[hit] = camera.project(coord)[1][shown[hit]]
        reach = SHADE_REACH * max(camera.size) / camera.scale
        light = _eye_dome(distance, hit, max(1, point_size // 2), reach)
        image[hit] = color[shown[hit]] * light[hit, None]
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def instance_colors(ids):
    """Colors (N, 3) uint8 of instance ids (N,): the same id has the same color everywhere, negative ids are gray."""
    ids = np.asarray(ids, dtype=np.int64)
    cycle, index = np.divmod(np.maximum(ids, 0), len(PALETTE))
    # Each further round through the palette is mixed with white or black by another amount.
    mix = (cycle * 0.382) % 0.6
    target = np.where(cycle % 2 == 1, 255, 0)[:, None]
    color = PALETTE[index] * (1 - mix)[:, None] + target * mix[:, None]
    color[ids < 0] = NO_INSTANCE
    return np.round(color).astype(np.uint8)


def match_colors(predicted, truth):
    """Predicted ids (N,) renamed so that each takes the id of the true instance it overlaps most, one to one.

    The others get ids above all true ones; -1 stays. For pictures in which both are shown side by side.
    """
    from scipy.optimize import linear_sum_assignment  # here, because its import takes a tenth of a second

    predicted, truth = np.asarray(predicted, dtype=np.int64), np.asarray(truth, dtype=np.int64)
    num_truth = int(truth.max(initial=-1)) + 1
    kept, index = np.unique(predicted[predicted >= 0], return_inverse=True)
    name = num_truth + np.arange(len(kept))
    true_of = truth[predicted >= 0]
    both = true_of >= 0
    overlap = np.zeros((len(kept), num_truth), dtype=np.int64)
    np.add.at(overlap, (index[both], true_of[both]), 1)
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    matched = overlap[rows, columns] > 0
    name[rows[matched]] = columns[matched]
    result = np.full(len(predicted), -1, dtype=np.int64)
    result[predicted >= 0] = name[index]
    return result


def _disc(size):
    """Pixel offsets (K, 2) of a disc that is `size` pixels wide."""
    reach = np.arange(size) - (size - 1) // 2
    dy, dx = np.meshgrid(reach, reach, indexing="ij")
    inside = (dy - reach.mean()) ** 2 + (dx - reach.mean()) ** 2 <= (size / 2) ** 2
    return np.stack([dy[inside], dx[inside]], axis=1)


def _eye_dome(distance, hit, radius, reach):
    """(H, W) light in 0..1: a pixel loses light for every neighbor, `radius` pixels away, that is nearer."""
    padded = np.pad(distance, radius, constant_values=np.inf)
    depth = np.zeros(distance.shape)
    steps = [(dy, dx) for dy in (-radius, 0, radius) for dx in (-radius, 0, radius) if dy or dx]
    for dy, dx in steps:
        rows = slice(radius + dy, radius + dy + distance.shape[0])
        columns = slice(radius + dx, radius + dx + distance.shape[1])
        neighbor = padded[rows, columns]
        depth[hit] += np.clip((distance[hit] - neighbor[hit]) / reach, 0.0, 1.0)
    return np.exp(-DARKENING / len(steps) * depth)
