"""Pickles of plain data: dicts, lists, strings, numbers, numpy arrays and tensors. Nothing in them can run code.

Has what `torch.load(path, pickle_module=plain_pickle, weights_only=False)` asks of a pickle module.
"""

import codecs
import collections
import pickle

import numpy as np
import torch

from pointins_ext.errors import UserError

# The numpy that wrote a file calls its insides numpy.core or numpy._core; the names behind the module are the same.
NUMPY = {
    "_reconstruct": np.zeros(1).__reduce__()[0],
    "scalar": np.float64(0).__reduce__()[0],
    "_frombuffer": np.zeros(1).__reduce_ex__(5)[0],
    "ndarray": np.ndarray,
    "dtype": np.dtype,
}
OTHER = {
    "_codecs.encode": codecs.encode,
    "collections.OrderedDict": collections.OrderedDict,
    "torch._utils._rebuild_tensor_v2": torch._utils._rebuild_tensor_v2,
}


class Unpickler(pickle.Unpickler):
    """Builds plain data; UnpicklingError that names the class for everything else."""

    def find_class(self, module, name):
        if module.partition(".")[0] == "numpy" and name in NUMPY:
            return NUMPY[name]
        if f"{module}.{name}" in OTHER:
            return OTHER[f"{module}.{name}"]
        raise pickle.UnpicklingError(f"it holds a {module}.{name}; only plain data and arrays are read")


def load(file, **kwargs):
    """The object in an open binary file."""
    return Unpickler(file, **kwargs).load()


def read(path):
    """The object in the file `path`. FileNotFoundError, or ValueError for a broken file and for one with classes."""
    with open(path, "rb") as file:
        try:
            return load(file)
        except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, IndexError) as error:
            raise UserError(f"{path} cannot be read as a pickle of plain data: {error}; write it again") from error
