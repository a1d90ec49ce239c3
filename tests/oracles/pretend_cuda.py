"""A CPU build of PyTorch that believes in one GPU: tensors claim `cuda:0`, and their data stay on the CPU.

What a GPU would refuse raises: operands on two devices, `numpy()`. What the host would wait for
is counted by operator and source line. Autograd, `is_cuda` and CUDA's lists of autocast are PyTorch's own.

It cannot see NCCL and several GPUs, streams and races on them, limits and speed of kernels, their rounding and the
order in which atomics add, memory, whose device a generator is of, and the insides of single operators: WAITS says how
often those wait.
"""

import contextlib
import ctypes
import os
import platform
import sys
from collections import Counter
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyDeviceGuard

CUDA = torch.device("cuda", 0)
DEVICE_TYPE_CUDA, DEVICE_TYPE_PRIVATE = 1, 20
# waits inside of an operator: it reads a size or a flag that only the device knows
WAITS = dict(
    nonzero=1,
    masked_select=1,
    _unique2=1,
    unique_dim=1,
    unique_consecutive=1,
    equal=1,
    _local_scalar_dense=1,
    bincount=2,  # the least and the largest entry
    _linalg_check_errors=1,
    _linalg_svd=1,
    _linalg_eigh=1,
    linalg_pinv=1,
)


def why_not():
    """Why there is nothing to pretend with, None where there is."""
    if torch.version.cuda or not torch.__version__.startswith("2.13."):
        return f"the pretended GPU is made for a CPU build of PyTorch 2.13, this is {torch.__version__}"
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"the pretended GPU is made for Linux on x86-64, this is {sys.platform} on {platform.machine()}"
    return None


def _library(name):
    return ctypes.CDLL(os.path.join(os.path.dirname(torch.__file__), "lib", name))


def _build_in():
    """CUDA becomes built in for autograd; returns what has to stay in memory.

    CUDA takes the guard that switches devices from the backend that Python may define, and its hooks answer two
    questions with yes: isBuilt and hasPrimaryContext, places 2 and 4 of their table.
    """
    guard, yes = _DummyDeviceGuard(), ctypes.CFUNCTYPE(ctypes.c_bool)(lambda: True)
    torch._C._acc.register_python_privateuseone_device_guard(guard)
    name = "_ZN3c104impl26device_guard_impl_registryE"
    guards = (ctypes.c_void_p * (DEVICE_TYPE_PRIVATE + 1)).in_dll(_library("libc10.so"), name)
    guards[DEVICE_TYPE_CUDA] = guards[DEVICE_TYPE_PRIVATE]
    hooks = _library("libtorch_cpu.so")._ZN2at6detail12getCUDAHooksEv
    hooks.restype = ctypes.POINTER(ctypes.c_void_p)
    table = (ctypes.c_void_p * 50).from_buffer_copy((ctypes.c_void_p * 50).from_address(hooks()[0]))
    table[2] = table[4] = ctypes.cast(yes, ctypes.c_void_p).value
    hooks()[0] = ctypes.addressof(table)
    return guard, yes, table


class PretendCuda(torch.Tensor):
    """A tensor that claims `cuda:0`, around one of the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __new__(cls, inner):
        options = dict(strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype)
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, device=CUDA, **options)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})

    def data_ptr(self):
        return self.inner.data_ptr()

    def __repr__(self, **_):
        return f"PretendCuda({self.inner!r})"

    def __format__(self, spec):
        return format(self.cpu(), spec)

    def tolist(self):
        return self.cpu().tolist()

    def numpy(self, **_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first")

    __array__ = numpy

    def __deepcopy__(self, memo):
        return memo.setdefault(id(self), self.detach().clone().requires_grad_(self.requires_grad))

    def __reduce_ex__(self, protocol):
        return self.inner.detach().__reduce_ex__(protocol)  # checkpoints are read on the CPU first


class _Mode(TorchDispatchMode):
    """Tensors that are made on the device are ours, too."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Generator(torch.Generator):
    """A generator of the CPU that claims its device."""

    def __new__(cls, device="cpu"):
        return super().__new__(cls)

    def __init__(self, device="cpu"):
        self._claimed = torch.device(device)

    @property
    def device(self):
        return self._claimed


waits = Counter()  # (operator, file:line) -> waits since `pretend` began
_kept = []


def _ours(value):
    return isinstance(value, PretendCuda)


def _run(func, args, kwargs):
    tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
    ours, host = [x for x in tensors if _ours(x)], [x for x in tensors if not _ours(x)]
    device = kwargs.get("device")
    # "cuda" without an index is what the guard calls its current device: one of the backend that it is from
    to_cuda = bool(ours) if device is None else torch.device(device).type != "cpu"
    if ours or to_cuda:
        _look(func, args, kwargs, ours, host, to_cuda)
    inner_args, inner_kwargs = tree_map(lambda x: x.inner if _ours(x) else x, (args, kwargs))
    if device is not None:
        inner_kwargs["device"] = "cpu"
    result = func(*inner_args, **inner_kwargs)
    if ours and torch.Tag.inplace_view in func.tags:
        with torch._C._DisableTorchDispatch():
            return func(*args, **kwargs)  # the claim takes the new shape as well
    known = {id(x.inner): x for x in ours}  # operators in place return their argument
    return tree_map(lambda x: _claimed(x, known), result) if to_cuda else result


def _claimed(value, known):
    if not isinstance(value, torch.Tensor):
        return value
    return known[id(value)] if id(value) in known else PretendCuda(value)


def _look(func, args, kwargs, ours, host, to_cuda):
    """Raise for what the device refuses, count what the host waits for."""
    name = func._schema.name.removeprefix("aten::")
    if name in ("_to_copy", "copy_"):
        crosses = bool(host) if name == "copy_" else bool(ours) != to_cuda
        number = int(crosses and not (kwargs.get("non_blocking") or args[2:3] == (True,)))
    elif "index" in name and isinstance(args[1], list | tuple):
        number = _index_waits(name, args)
    else:
        # a number of the host goes with any tensor, element by element
        if any(x.dim() or not _elementwise(func, name) for x in host):
            raise RuntimeError(f"{name}: Expected all tensors to be on the same device, found cuda:0 and cpu")
        number = WAITS.get(name, 0)
        if name == "repeat_interleave" and kwargs.get("output_size") is None:
            number = 1
    if number:
        waits[name, _place(sys._getframe(2))] += number


def _elementwise(func, name):
    return torch.Tag.pointwise in func.tags or name.startswith("_foreach")


def _index_waits(name, args):
    """Waits of indexing: masks are counted first, indices of the host are copied."""
    target, indices = args[0], [index for index in args[1] if index is not None]
    if not _ours(target):
        raise RuntimeError(f"{name}: indices should be on the same device as the indexed tensor (cpu)")
    if name != "index" and not _ours(args[2]):
        if args[2].dim():
            raise RuntimeError(f"{name}: expected values on cuda:0 as the tensor, found cpu")
        return 0  # a number of the host: masked_fill
    return sum(not _ours(index) or index.dtype in (torch.bool, torch.uint8) for index in indices)


def _place(frame):
    """file:line of the innermost frame of the package, the outermost frame where there is none."""
    while "/pointins_ext/" not in frame.f_code.co_filename and frame.f_back:
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/pointins_ext/')[2]}:{frame.f_lineno}"


@contextlib.contextmanager
def pretend():
    """Meanwhile PyTorch has one GPU; yields the Counter of waits, (operator, file:line) -> number."""
    if not _kept:
        _kept.extend(_build_in())
    answers = dict(
        is_available=True,
        device_count=1,
        current_device=0,
        is_bf16_supported=True,
        get_device_name="pretended",
        mem_get_info=(2**33, 2**34),
        get_rng_state=torch.get_rng_state(),
        set_rng_state=None,
        manual_seed_all=None,
        synchronize=None,
        _lazy_init=None,
    )
    with contextlib.ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, lambda *_, answer=answer, **__: answer))
        stack.enter_context(mock.patch.object(torch.Tensor, "pin_memory", lambda self, *_: self))
        stack.enter_context(mock.patch.object(torch, "Generator", _Generator))
        # backward in this thread, modules take tensors of another type, numbers are made on the CPU first
        stack.enter_context(torch.autograd.set_multithreading_enabled(False))
        for switch in (torch.__future__.set_overwrite_module_params_on_conversion, torch._C._set_only_lift_cpu_tensors):
            switch(True)
            stack.callback(switch, False)
        stack.enter_context(_Mode())
        waits.clear()
        yield waits
