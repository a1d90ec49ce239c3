"""Geometric augmentation: what moves `coord` (N, 3), meters, and turns `normal` (N, 3) along with it."""

import random

import numpy as np

from pointins_ext.embedded.registry import TRANSFORMS
from pointins_ext.errors import UserError


def box_center(coord):
    """Center of the bounding box, (3,)."""
    return (coord.min(axis=0) + coord.max(axis=0)) / 2


def rotation(angle, axis):
    """Rotation matrix (3, 3) by `angle` radians around "x", "y" or "z"; points turn by `coord @ matrix.T`."""
    if axis not in ("x", "y", "z"):
        raise UserError(f"rotation axis is {axis!r}, expected 'x', 'y' or 'z'")
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[[first, second], [first, second]] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


@TRANSFORMS.register_module()
class NormalizeCoord:
    """Center the cloud on its mean and scale it into the unit ball."""

    def __call__(self, data_dict):
        coord = data_dict["coord"] - data_dict["coord"].mean(axis=0)
        data_dict["coord"] = coord / (np.linalg.norm(coord, axis=1).max() or 1)  # one point is its own middle
        return data_dict


@TRANSFORMS.register_module()
class PositiveShift:
    """Move the lowest corner of the bounding box to the origin."""

    def __call__(self, data_dict):
        data_dict["coord"] = data_dict["coord"] - data_dict["coord"].min(axis=0)
        return data_dict


@TRANSFORMS.register_module()
class CenterShift:
    """Move the center of the bounding box to x = y = 0, and its bottom to z = 0 with `apply_z`."""

    def __init__(self, apply_z=True):
        self.apply_z = apply_z

    def __call__(self, data_dict):
        coord = data_dict["coord"]
        shift = box_center(coord)
        shift[2] = coord[:, 2].min() if self.apply_z else 0
        data_dict["coord"] = coord - shift
        return data_dict


@TRANSFORMS.register_module()
class RandomShift:
    """Move the cloud by a uniform random vector within `shift`, one (low, high) an axis."""

    def __init__(self, shift=((-0.2, 0.2), (-0.2, 0.2), (0, 0))):
        self.shift = shift

    def __call__(self, data_dict):
        coord = data_dict["coord"]
        shift = [np.random.uniform(low, high) for low, high in self.shift]
        data_dict["coord"] = (coord + np.asarray(shift)).astype(coord.dtype)
        return data_dict


@TRANSFORMS.register_module()
class PointClip:
    """Clamp coordinates to the box (x, y, z low, x, y, z high)."""

    def __init__(self, point_cloud_range=(-80, -80, -3, 80, 80, 1)):
        self.low, self.high = point_cloud_range[:3], point_cloud_range[3:]

    def __call__(self, data_dict):
        coord = data_dict["coord"]
        data_dict["coord"] = np.clip(coord, self.low, self.high).astype(coord.dtype)
        return data_dict


@TRANSFORMS.register_module()
class RandomRotate:
    """Turn around `axis` through `center` (default: of the bounding box) by a uniform angle within `angle`, unit pi."""

    def __init__(self, angle=None, center=None, axis="z", always_apply=False, p=0.5):
        self.angle = (-1, 1) if angle is None else angle
        self.center = center
        self.axis = axis
        self.p = 1 if always_apply else p

    def draw_angle(self):
        return np.random.uniform(*self.angle)

    def __call__(self, data_dict):
        if random.random() > self.p:
            return data_dict
        coord = data_dict["coord"]
        turn = rotation(self.draw_angle() * np.pi, self.axis).T.astype(coord.dtype)
        center = box_center(coord) if self.center is None else np.asarray(self.center, coord.dtype)
        data_dict["coord"] = (coord - center) @ turn + center
        if "normal" in data_dict:
            data_dict["normal"] = data_dict["normal"] @ turn
        return data_dict


@TRANSFORMS.register_module()
class RandomRotateTargetAngle(RandomRotate):
    """Turn by one of the listed angles, unit pi."""

    def __init__(self, angle=(1 / 2, 1, 3 / 2), center=None, axis="z", always_apply=False, p=0.75):
        super().__init__(angle, center, axis, always_apply, p)

    def draw_angle(self):
        return np.random.choice(self.angle)


@TRANSFORMS.register_module()
class RandomScale:
    """Multiply coordinates by a uniform factor within `scale`, one an axis if `anisotropic`."""

    def __init__(self, scale=None, anisotropic=False):
        self.scale = (0.95, 1.05) if scale is None else scale
        self.anisotropic = anisotropic

    def __call__(self, data_dict):
        factor = np.random.uniform(*self.scale, 3 if self.anisotropic else 1)
        data_dict["coord"] = data_dict["coord"] * factor.astype(data_dict["coord"].dtype)
        return data_dict


@TRANSFORMS.register_module()
class RandomFlip:
    """Mirror x, and independently y, each with probability `p`."""

    def __init__(self, p=0.5):
        self.p = p

    def __call__(self, data_dict):
        sign = np.ones(3, np.float32)
        sign[:2] = [-1 if np.random.rand() < self.p else 1 for _ in range(2)]
        for key in ("coord", "normal"):
            if key in data_dict:
                data_dict[key] = data_dict[key] * sign
        return data_dict


@TRANSFORMS.register_module()
class RandomJitter:
    """Add Gaussian noise of `sigma` meters, cut at `clip`, to every point."""

    def __init__(self, sigma=0.01, clip=0.05):
        if clip <= 0:
            raise UserError(f"RandomJitter: clip is {clip}, expected a positive length in meters")
        self.sigma = sigma
        self.clip = clip

    def __call__(self, data_dict):
        coord = data_dict["coord"]
        noise = np.clip(self.sigma * np.random.randn(len(coord), 3), -self.clip, self.clip)
        data_dict["coord"] = coord + noise.astype(coord.dtype)
        return data_dict


@TRANSFORMS.register_module()
class ElasticDistortion:
    """Bend space by a smooth random field, with probability 0.95: [granularity, magnitude] pairs, meters.

    Not an affine map: an instance offset does not survive it, so pretraining with an offset branch leaves it out.
    """

    def __init__(self, distortion_params=None):
        self.distortion_params = [[0.2, 0.4], [0.8, 1.6]] if distortion_params is None else distortion_params

    @staticmethod
    def distort(coord, granularity, magnitude):
        from scipy import ndimage  # here: it would take a tenth of the start of every command

        low = coord.min(axis=0)
        size = ((coord - low).max(axis=0) // granularity).astype(int) + 3
        noise = np.random.randn(*size, 3).astype(np.float32)
        for axis in (0, 1, 2) * 2:
            noise = ndimage.uniform_filter1d(noise, 3, axis=axis, mode="constant")
        position = ((coord - low) / granularity + 1).T
        field = [ndimage.map_coordinates(noise[..., axis], position, order=1) for axis in range(3)]
        return coord + np.stack(field, axis=1).astype(coord.dtype) * magnitude

    def __call__(self, data_dict):
        if random.random() < 0.95:
            for granularity, magnitude in self.distortion_params:
                data_dict["coord"] = self.distort(data_dict["coord"], granularity, magnitude)
        return data_dict
