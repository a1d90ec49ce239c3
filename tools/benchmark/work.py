"""What a call works: floating-point operations and bytes."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


class Traffic(TorchDispatchMode):
    """Counts the bytes that PyTorch's operators read and write, each for itself; views and empty tensors move none."""

    bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if not (function.is_view or any(word in function.__name__ for word in ("view", "empty"))):
            tensors = {id(leaf): leaf for leaf in tree_leaves((args, kwargs, result)) if torch.is_tensor(leaf)}
            self.bytes += sum(tensor.nbytes for tensor in tensors.values())
        return result


def work(call) -> dict[str, float]:
    """`flops` (of products of matrices) and `bytes` of a call; what SciPy and NumPy do is in neither."""
    with FlopCounterMode(display=False) as counter, Traffic() as traffic:
        call()
    return dict(flops=counter.get_total_flops(), bytes=traffic.bytes)
