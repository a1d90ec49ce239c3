"""Color augmentation: `color` (N, 3) in 0..255; scenes without color pass unchanged. And what drops a channel."""

import random
from numbers import Number

import numpy as np
import torch

from pointins_ext.embedded.registry import TRANSFORMS
from pointins_ext.errors import UserError

GRAY = np.array([0.2989, 0.587, 0.114], np.float32)


def luminance(color):
    """Gray value (N, 1) of every color."""
    return (color @ GRAY.astype(color.dtype))[:, None]


def blend(color, other, ratio):
    """`ratio` of `color`, the rest of `other`, kept within 0..255."""
    return np.clip(ratio * color + (1 - ratio) * other, 0, 255).astype(color.dtype)


def shift_hue(color, shift):
    """Turn the hue by `shift` (1 = full circle) at the same HSV saturation and value."""
    value = color.max(axis=1)
    chroma = value - color.min(axis=1)
    safe = np.where(chroma > 0, chroma, 1)
    red, green, blue = ((value[:, None] - color) / safe[:, None]).T
    hue = np.where(color[:, 1] == value, 2 + red - blue, 4 + green - red)
    hue = np.where(color[:, 0] == value, blue - green, hue) + 6 * shift
    # distance of the hue to each primary's sector decides how much of the chroma that primary loses
    sector = (hue[:, None] + np.array([5, 3, 1])) % 6
    loss = np.clip(np.minimum(sector, 4 - sector), 0, 1)
    return (value[:, None] - chroma[:, None] * loss).astype(color.dtype)


@TRANSFORMS.register_module()
class NormalizeColor:
    """Colors from 0..255 to 0..1."""

    def __call__(self, data_dict):
        if "color" in data_dict:
            data_dict["color"] = data_dict["color"] / 255
        return data_dict


@TRANSFORMS.register_module()
class ChromaticAutoContrast:
    """Stretch every channel to 0..255, blended with the original by `blend_factor` (None: uniform random)."""

    def __init__(self, p=0.2, blend_factor=None):
        self.p = p
        self.blend_factor = blend_factor

    def __call__(self, data_dict):
        if "color" not in data_dict or np.random.rand() >= self.p:
            return data_dict
        color = data_dict["color"]
        low, high = color.min(axis=0), color.max(axis=0)
        if not (high > low).any():
            return data_dict
        scale = np.where(high > low, 255 / np.maximum(high - low, 1e-6), 1).astype(color.dtype)
        factor = np.random.rand() if self.blend_factor is None else self.blend_factor
        data_dict["color"] = (1 - factor) * color + factor * (color - low) * scale
        return data_dict


@TRANSFORMS.register_module()
class ChromaticTranslation:
    """Add one random color of at most `ratio` * 255 to all points."""

    def __init__(self, p=0.95, ratio=0.05):
        self.p = p
        self.ratio = ratio

    def __call__(self, data_dict):
        if "color" in data_dict and np.random.rand() < self.p:
            color = data_dict["color"]
            shift = (np.random.rand(3) * 2 - 1) * 255 * self.ratio
            data_dict["color"] = np.clip(color + shift.astype(color.dtype), 0, 255)
        return data_dict


@TRANSFORMS.register_module()
class ChromaticJitter:
    """Add Gaussian noise of `std` * 255 to every point's color."""

    def __init__(self, p=0.95, std=0.005):
        self.p = p
        self.std = std

    def __call__(self, data_dict):
        if "color" in data_dict and np.random.rand() < self.p:
            color = data_dict["color"]
            noise = np.random.randn(len(color), 3) * self.std * 255
            data_dict["color"] = np.clip(color + noise.astype(color.dtype), 0, 255)
        return data_dict


@TRANSFORMS.register_module()
class RandomColorGrayScale:
    """Replace colors by their gray value, with probability `p`."""

    def __init__(self, p):
        self.p = p

    def __call__(self, data_dict):
        if "color" in data_dict and np.random.rand() < self.p:
            data_dict["color"] = np.repeat(luminance(data_dict["color"]), 3, axis=1)
        return data_dict


def jitter_range(value, name, center):
    """(low, high) from one number around `center` or from a pair; None where it would change nothing."""
    if isinstance(value, Number) and value >= 0:
        low, high = center - value, center + value
    elif not isinstance(value, Number) and len(value) == 2 and value[0] <= value[1]:
        low, high = value
    else:
        raise UserError(f"RandomColorJitter: {name} is {value!r}, expected a number >= 0 or a pair (low, high)")
    if center == 0 and not -0.5 <= low <= high <= 0.5:
        raise UserError(f"RandomColorJitter: {name} spans {(low, high)}, expected within -0.5..0.5")
    return None if low == high == center else (max(low, 0) if center else low, high)


@TRANSFORMS.register_module()
class RandomColorJitter:
    """Random brightness, contrast, saturation and hue, in random order, each with probability `p` (as torchvision)."""

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0, p=0.95):
        self.ranges = (
            jitter_range(brightness, "brightness", 1),
            jitter_range(contrast, "contrast", 1),
            jitter_range(saturation, "saturation", 1),
            jitter_range(hue, "hue", 0),
        )
        self.p = p

    @staticmethod
    def adjust(color, kind, factor):
        if kind == 0:
            return blend(color, 0, factor)
        if kind == 1:
            return blend(color, luminance(color).mean(), factor)
        if kind == 2:
            return blend(color, luminance(color), factor)
        return shift_hue(color, factor)

    def __call__(self, data_dict):
        if "color" not in data_dict:
            return data_dict
        order = torch.randperm(4).tolist()
        factors = [None if span is None else np.random.uniform(*span) for span in self.ranges]
        for kind in order:
            if factors[kind] is not None and np.random.rand() < self.p:
                data_dict["color"] = self.adjust(data_dict["color"], kind, factors[kind])
        return data_dict


class DropChannel:
    """Set the `channel` of the share `drop_ratio` of the points to 0, with probability `drop_application_ratio`."""

    channel: str

    def __init__(self, drop_ratio=0.2, drop_application_ratio=0.5):
        self.drop_ratio = drop_ratio
        self.drop_application_ratio = drop_application_ratio

    def __call__(self, data_dict):
        if self.channel not in data_dict or random.random() >= self.drop_application_ratio:
            return data_dict
        value = data_dict[self.channel].copy()
        value[np.random.choice(len(value), int(len(value) * self.drop_ratio), replace=False)] = 0
        data_dict[self.channel] = value
        return data_dict


@TRANSFORMS.register_module()
class RandomDropColor(DropChannel):
    """Points, or with drop_ratio=1 whole scenes, without color."""

    channel = "color"


@TRANSFORMS.register_module()
class RandomDropNormal(DropChannel):
    """Points, or with drop_ratio=1 whole scenes, without normal."""

    channel = "normal"
