"""Between tensors and arrays."""

import numpy as np
import torch


def as_array(values):
    """NumPy array of an array, a sequence or a tensor on any device."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
