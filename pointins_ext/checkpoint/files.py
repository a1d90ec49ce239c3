"""Checkpoint files: written in one piece, read without running code."""

import codecs
import json
import os
import re

import numpy as np
import safetensors.torch
import torch

from pointins_ext import weights
from pointins_ext.errors import UserError
from pointins_ext.files import whole_file


def _numpy_scalar(module):
    """The constructor of numpy scalars under the module path that the numpy which wrote the file pickled."""

    def scalar(*args):
        return np.float64(0).__reduce__()[0](*args)

    scalar.__module__, scalar.__qualname__ = module, "scalar"
    return scalar


# Pointcept stores its best metric as a numpy scalar. torch 2.4 has no `safe_globals` context and takes no names.
torch.serialization.add_safe_globals(
    [
        *map(_numpy_scalar, ("numpy.core.multiarray", "numpy._core.multiarray")),
        *{type(np.dtype(kind)) for kind in (np.float64, np.float32, np.float16, np.int64)},
        np.dtype,
        codecs.encode,
    ]
)


def save_checkpoint(state, path):
    """Write `state` under a temporary name, then rename: a kill at any moment leaves the old file readable.

    OSError that says so where the disk is full or the place is closed.
    """
    try:
        with whole_file(path, f"{path}.tmp") as stream:
            torch.save(state, stream)
    except (OSError, RuntimeError) as error:
        # torch puts an error of its own on top of what the disk has said
        reason = error if isinstance(error, OSError) else error.__context__
        if not isinstance(reason, OSError) or reason.errno is None:
            raise
        kept = "the one that was there before is whole" if os.path.isfile(path) else "there is none yet"
        advice = (
            f"{reason.strerror}; checkpoint not written, {kept}: free some space or name another place, then resume"
        )
        raise OSError(reason.errno, advice, os.fspath(path)) from error


def save_half(state_dict, config, path):
    """Write tensors in half precision, and the dict `config` as JSON beside them, as one .safetensors file."""
    half = {name: value.half() if value.is_floating_point() else value for name, value in state_dict.items()}
    half = {name: value.contiguous().clone() for name, value in half.items()}  # no two may share memory
    with whole_file(path) as stream:
        stream.write(safetensors.torch.save(half, dict(config=json.dumps(config))))


def require_checkpoint(path):
    """FileNotFoundError where no file is at `path`, which may also be the name of weights that the package ships."""
    if not os.path.isfile(weights.located(path)):
        state = "is a folder" if os.path.isdir(path) else "not found"
        raise FileNotFoundError(
            f"checkpoint {path} {state}; expected a file such as exp/.../model/model_last.pth, or "
            f"{' or '.join(weights.NAMES)}, which come with the package (in a config: or None)"
        )


def read_checkpoint(path):
    """Dict of a checkpoint on the CPU: a file, or "indoor" or "outdoor", which the package ships.

    A file of bare tensors becomes {"state_dict": tensors}; a .safetensors has a `config`, too, where `save_half` wrote
    it, and single precision. FileNotFoundError, or ValueError for a file that is truncated, holds other things than
    data, or has no weights.
    """
    require_checkpoint(path)
    path = weights.located(path)
    try:
        if os.fspath(path).endswith(".safetensors"):
            state = _read_safetensors(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"cannot read checkpoint {path} ({os.path.getsize(path)} bytes): {_reason(error)}; take another one, for "
            "example epoch_*.pth beside it"
        ) from error
    if isinstance(state, dict) and "state_dict" not in state and _all_tensors(state):
        state = dict(state_dict=state)
    if not isinstance(state, dict) or not _all_tensors(state.get("state_dict")):
        raise UserError(f"checkpoint {path} has no 'state_dict' of tensors; found {_contents(state)}")
    return state


def _read_safetensors(path):
    with safetensors.safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        config = (file.metadata() or {}).get("config")
    state = dict(
        state_dict={name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    )
    return state if config is None else dict(state, config=json.loads(config))


def _reason(error):
    """What is wrong with a file, from torch's error."""
    code = re.search(r"GLOBAL (\S+)", str(error))
    if code:
        return f"it asks to run {code[1]}, which data never do, and was not read further"
    text = str(error).partition(".")[0].partition("\n")[0]
    return f"it is truncated or not a file of tensors ({text or type(error).__name__})"


def _all_tensors(value):
    return isinstance(value, dict) and bool(value) and all(map(torch.is_tensor, value.values()))


def _contents(state):
    if not isinstance(state, dict):
        return f"a {type(state).__name__}"
    if "state_dict" not in state:
        return f"{len(state)} entries {', '.join(map(str, list(state)[:5]))}"
    weights = state["state_dict"]
    if not isinstance(weights, dict):
        return f"a {type(weights).__name__} as 'state_dict'"
    other = {name: type(value).__name__ for name, value in weights.items() if not torch.is_tensor(value)}
    return f"{len(other)} other values in it: {dict(list(other.items())[:3])}" if other else "an empty one"
