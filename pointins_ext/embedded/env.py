"""Random state of a run: seeding, saving, restoring."""

import os
import random

import numpy as np
import torch


def get_random_seed():
    """A fresh seed from the operating system."""
    return int.from_bytes(os.urandom(4), "little") % 2**31


def set_seed(seed=None):
    """Seed python, numpy and torch (CPU and CUDA) and ask cuDNN for repeatable kernels."""
    seed = get_random_seed() if seed is None else seed
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def seed_worker(worker_id):
    """DataLoader `worker_init_fn`: numpy and python follow the seed that torch drew for this worker and epoch."""
    seed = torch.initial_seed() % 2**32
    np.random.seed(seed)
    random.seed(seed)


def get_rng_state():
    """State of every generator as tensors and plain Python values, so that weights-only loading accepts it."""
    name, keys, position, has_gauss, cached = np.random.get_state()
    return dict(
        python=random.getstate(),
        numpy=(name, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached),
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    )


def set_rng_state(state):
    """Restore what `get_rng_state` gave."""
    name, keys, *rest = state["numpy"]
    random.setstate(state["python"])
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
