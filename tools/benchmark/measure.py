"""Times and memory of a case, A and B in turn."""

import ctypes
import os
import platform
import statistics
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from benchmark.cases import CASES
from benchmark.work import work

SIDE = 2048  # of the square matrices whose product shows the ceiling
COPIED = 1 << 26  # numbers of a copy that no cache holds
CEILING_TURNS = 5


def synchronize(device) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def seconds(call, device) -> float:
    synchronize(device)
    begin = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - begin


def ceiling(device) -> dict[str, float]:
    """`flops` and `bytes` per second of a large product and of a large copy, in float32."""
    matrix, block = torch.rand(SIDE, SIDE, device=device), torch.rand(COPIED, device=device)
    copy = torch.empty_like(block)
    calls = dict(flops=(2 * SIDE**3, lambda: matrix @ matrix), bytes=(2 * block.nbytes, lambda: copy.copy_(block)))
    result = {}
    for key, (amount, call) in calls.items():
        call()  # the first is slow
        result[key] = amount / statistics.median(seconds(call, device) for _ in range(CEILING_TURNS))
    return result


def peak_memory(call, device) -> int | None:
    """Bytes that a call adds at its peak; None where the system does not tell."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # else the call finds the pages that earlier ones have left
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = resident("VmRSS")
        call()
        return resident("VmHWM") - before
    except (OSError, AttributeError):  # no Linux, or another C library
        return None


def synchronizations(call, device) -> int | None:
    """How often the host waits for the GPU during a call; None on CPU."""
    if device != "cuda":
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            call()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    # the first warning of a process says only that such warnings come
    return sum("called a synchronizing" in str(warning.message) for warning in caught)


def resident(name: str) -> int:
    """A figure of /proc/self/status, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def apart(call, *arguments):
    """What a call gives in a process of its own: what it leaves in sys.modules ends with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(call, *arguments).result()


def measure(name: str, device: str, quick: bool, repeats: int) -> dict:
    """Figures of a case. Skip where what it needs is missing."""
    case = CASES[name]
    threads = 1 if quick else case.threads  # beside another process two threads wait for each other
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    pair = case.make(device, quick)
    for call in (pair.a, pair.b):  # first calls are slow
        call()
    memory = [peak_memory(call, device) for call in (pair.a, pair.b)]
    waits = [synchronizations(call, device) for call in (pair.a, pair.b)]
    times = [[seconds(call, device) for call in (pair.a, pair.b)] for _ in range(repeats)]
    ratios = [a / b * pair.scale for a, b in times]
    low, middle, high = statistics.quantiles(ratios, n=4)
    a, b = (statistics.median(column) for column in zip(*times, strict=True))
    return dict(
        ratio=middle,
        quartiles=[low, high],
        target=case.target[device],
        seconds=[a, b],
        memory=memory,
        synchronizations=waits,
        points=pair.points,
        work=work(pair.a),
        ceiling=ceiling(device),
        threads=threads,
        repeats=repeats,
        note=pair.note,
    )


def machine(device: str) -> dict:
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return dict(device=name, cores=os.cpu_count(), torch=torch.__version__, python=platform.python_version())
