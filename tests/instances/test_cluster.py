import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from pointins_ext.instances import cluster_offsets, join_leftovers


def test_what_meets_once_it_is_shifted_is_one_instance():
    rng = np.random.default_rng(0)
    centers = np.array([[0.0, 0, 0], [1, 0, 0]], np.float32)
    own = np.repeat([0, 1], 100)
    coord = centers[own] + rng.uniform(-0.45, 0.45, (200, 3)).astype(np.float32)  # a gap of 10 cm
    label = cluster_offsets(coord, centers[own] - coord, radius=0.05, min_points=10)
    assert len(np.unique(label)) == 2 and all(len(np.unique(label[own == i])) == 1 for i in (0, 1))
    assert (cluster_offsets(coord, np.zeros_like(coord), radius=0.05, min_points=150) == -1).all()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**16), reach=st.floats(0.05, 1.0))
def test_leftovers_take_the_nearest_label_within_reach(seed, reach):
    generator = torch.Generator().manual_seed(seed)
    coord = torch.rand(40, 3, generator=generator).numpy()
    label = torch.randint(-1, 3, (40,), generator=generator).numpy()
    joined, known = join_leftovers(label, coord, reach), label >= 0
    assert (joined[known] == label[known]).all()
    if known.any():
        distance, nearest = cKDTree(coord[known]).query(coord[~known])
        assert (joined[~known] == np.where(distance <= reach, label[known][nearest], -1)).all()
