"""What a call works: floating-point operations and bytes, and what of them the device could do at most."""

import statistics
import time

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

SIDE = 2048  # of the square matrices whose product shows the ceiling
COPIED = 1 << 26  # numbers of a copy that no cache holds
TURNS = 5


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


def ceiling(device: str) -> dict[str, float]:
    """`flops` and `bytes` per second of a large product and of a large copy, in float32."""
    matrix, block = torch.rand(SIDE, SIDE, device=device), torch.rand(COPIED, device=device)
    copy = torch.empty_like(block)
    return dict(
        flops=2 * SIDE**3 / _median_seconds(lambda: matrix @ matrix, device),
        bytes=2 * block.nbytes / _median_seconds(lambda: copy.copy_(block), device),
    )


def _median_seconds(call, device) -> float:
    taken = []
    for _ in range(TURNS + 1):
        begin = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken[1:])  # the first is slow
