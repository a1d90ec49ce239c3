"""Plumbing of a transform list: compose, copy, update, to tensors, collect.

Every transform takes a scene dict and returns it. It may add and replace entries, but never writes into an array that
it was given, so a dataset can hand out cached scenes without copying them.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from numbers import Integral, Real

import numpy as np
import torch

from pointins_ext.embedded.registry import TRANSFORMS
from pointins_ext.errors import UserError, UserKeyError


class Compose:
    """Run a list of transform configs (`dict(type=..., ...)`) one after the other; None or [] changes nothing.

    ValueError that names the scene and the transform after which it has no point.
    """

    def __init__(self, cfg=None):
        self.transforms = [TRANSFORMS.build(step) for step in cfg or []]

    def __call__(self, data_dict):
        for transform in self.transforms:
            name = data_dict.get("name", "") if isinstance(data_dict, Mapping) else ""
            data_dict = transform(data_dict)
            if isinstance(data_dict, Mapping) and "coord" in data_dict and len(data_dict["coord"]) == 0:
                raise UserError(
                    f"{type(transform).__name__} leaves no point of the scene {name!r}; take this transform out of the "
                    "pipeline, or the scene out of the data"
                )
        return data_dict


def take(data_dict, key, caller):
    """`data_dict[key]`; a KeyError that names the transform and the keys at hand where it is missing."""
    if key not in data_dict:
        raise UserKeyError(
            f"{caller}: the sample {data_dict.get('name', '')!r} has no key {key!r}, only {sorted(data_dict)}; "
            f"remove the key from the config or add it in the dataset"
        )
    return data_dict[key]


@TRANSFORMS.register_module()
class Copy:
    """Copy entries under new names: `keys_dict` maps old to new."""

    def __init__(self, keys_dict=None):
        self.keys_dict = dict(coord="origin_coord", segment="origin_segment") if keys_dict is None else keys_dict

    def __call__(self, data_dict):
        for old, new in self.keys_dict.items():
            data_dict[new] = deepcopy(take(data_dict, old, "Copy"))
        return data_dict


@TRANSFORMS.register_module()
class Update:
    """Set entries to constants, e.g. `keys_dict=dict(grid_size=0.02)`."""

    def __init__(self, keys_dict=None):
        self.keys_dict = keys_dict or {}

    def __call__(self, data_dict):
        data_dict.update(self.keys_dict)
        return data_dict


@TRANSFORMS.register_module()
class ToTensor:
    """Arrays and numbers to tensors (integers to int64, reals to float32), through dicts and lists; strings stay."""

    def __call__(self, data):
        if isinstance(data, (torch.Tensor, str)):
            return data
        if isinstance(data, Mapping):
            return {key: self(value) for key, value in data.items()}
        if isinstance(data, Sequence):
            return [self(value) for value in data]
        if isinstance(data, (Integral, Real)):
            data = np.asarray([data])
        if not isinstance(data, np.ndarray) or data.dtype.kind not in "biuf":
            raise TypeError(f"ToTensor: cannot convert {type(data).__name__} {data!r:.80}; expected arrays and numbers")
        if data.dtype.kind == "b":
            return torch.from_numpy(data)
        return torch.from_numpy(data.astype(np.float32 if data.dtype.kind == "f" else np.int64))


@TRANSFORMS.register_module()
class Collect:
    """Keep what the model reads: `keys`, the point counts, and features concatenated from several keys.

    `offset_keys_dict` maps a new key to the key whose rows it counts (default `offset="coord"`).
    Every other keyword `x_keys=(...)` gives `x` (N, C), the float columns side by side: `feat_keys=("coord", "color")`.
    """

    def __init__(self, keys, offset_keys_dict=None, **feature_keys):
        self.keys = [keys] if isinstance(keys, str) else keys
        self.offset_keys = dict(offset="coord") if offset_keys_dict is None else offset_keys_dict
        self.feature_keys = feature_keys

    def __call__(self, data_dict):
        data = {key: take(data_dict, key, "Collect") for key in self.keys}
        for key, counted in self.offset_keys.items():
            data[key] = torch.tensor([len(take(data_dict, counted, "Collect"))])
        for name, keys in self.feature_keys.items():
            columns = [take(data_dict, key, f"Collect({name})").float() for key in keys]
            data[name.replace("_keys", "")] = torch.cat(columns, dim=1)
        return data
