"""Checkpoint files: written in one piece, read without running code, matched to a model by name."""

import contextlib
import os
from collections import Counter, defaultdict

import numpy as np
import torch

# Pointcept stores its best metric as a numpy scalar, pickled under the module path of the numpy that wrote it.
_scalar = np._core.multiarray.scalar if hasattr(np, "_core") else np.core.multiarray.scalar
_NUMPY_SCALARS = [(_scalar, "numpy.core.multiarray.scalar"), (_scalar, "numpy._core.multiarray.scalar"), np.dtype]
_NUMPY_SCALARS += [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)]


def save_checkpoint(state, path):
    """Write `state` under a temporary name, then rename: a kill at any moment leaves the old file readable."""
    temporary = f"{path}.tmp"
    try:
        torch.save(state, temporary)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise


def read_checkpoint(path):
    """Dict of a checkpoint file on the CPU; a file of bare tensors becomes {"state_dict": tensors}.

    FileNotFoundError, or ValueError for a file that is truncated, holds other things than data, or has no weights.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"checkpoint {path} not found; give an existing file as weight=, or weight=None")
    try:
        with torch.serialization.safe_globals(_NUMPY_SCALARS):
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"cannot read checkpoint {path} ({os.path.getsize(path)} bytes): {str(error).partition('.')[0]}. It is "
            "truncated or not a file of tensors; take another one, for example epoch_*.pth beside it"
        ) from error
    if isinstance(state, dict) and "state_dict" not in state and all(map(torch.is_tensor, state.values())):
        state = dict(state_dict=state)
    if not isinstance(state, dict) or not state.get("state_dict"):
        raise ValueError(
            f"checkpoint {path} has no 'state_dict' with tensors; found {type(state).__name__} {list(state)[:5]}"
        )
    return state


def rename(state_dict, keywords, replacement):
    """Names as the bare model has them; `keywords` -> `replacement` once, both with "module." in front as Pointcept."""
    renamed = {}
    for name, value in state_dict.items():
        name = name if name.startswith("module.") else f"module.{name}"
        renamed[name.replace(keywords, replacement, 1).removeprefix("module.")] = value
    return renamed


def load_weight(model, state_dict, strict, path):
    """Load by name; returns (matched, missing, unexpected) names.

    ValueError when nothing matches (with the renaming that would), on other shapes, and if `strict` on any difference.
    """
    wanted = model.state_dict()
    matched = [name for name in wanted if name in state_dict]
    missing = [name for name in wanted if name not in state_dict]
    unexpected = [name for name in state_dict if name not in wanted]
    if not matched:
        raise ValueError(
            f"checkpoint {path}: none of its {len(state_dict)} tensors (like {unexpected[0]!r}) is one of the model's "
            f"{len(wanted)} (like {missing[0]!r}){_suggestion(unexpected, missing)}"
        )
    if strict and (missing or unexpected):
        raise ValueError(f"checkpoint {path}: missing {missing[:5]}, unexpected {unexpected[:5]} in a strict load")
    shapes = [
        f"{name} {tuple(state_dict[name].shape)} -> {tuple(wanted[name].shape)}"
        for name in matched
        if state_dict[name].shape != wanted[name].shape
    ]
    if shapes:
        raise ValueError(
            f"checkpoint {path}: {len(shapes)} tensors differ in shape from the model: {', '.join(shapes[:3])}"
        )
    model.load_state_dict(state_dict, strict=False)
    return matched, missing, unexpected


def _suggestion(found, wanted):
    """The renaming under which most names match, as text."""
    prefixes = defaultdict(list)
    for name in wanted:
        for prefix, suffix in _cuts(name):
            prefixes[suffix].append(prefix)
    pairs = Counter()
    for name in found:
        cut = next(((prefix, suffix) for prefix, suffix in _cuts(name) if suffix in prefixes), None)
        if cut:
            pairs.update((cut[0], prefix) for prefix in prefixes[cut[1]])
    if not pairs:
        return "; it is a checkpoint of another model"
    (source, target), count = pairs.most_common(1)[0]
    return (
        f"; CheckpointLoader(keywords={_module(source)!r}, replacement={_module(target)!r}) would match {count} of them"
    )


def _cuts(name):
    """(prefix, suffix) of a dotted name, longest suffix first; a suffix has two parts or is the whole name."""
    parts = name.split(".")
    return [(".".join(parts[:i]), ".".join(parts[i:])) for i in range(max(len(parts) - 1, 1))]


def _module(prefix):
    return f"module.{prefix}" if prefix else "module"
