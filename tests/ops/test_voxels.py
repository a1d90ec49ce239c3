import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.ops.voxels import sorted_runs, voxel_key, voxelize

cells = st.lists(st.tuples(*[st.integers(0, 3)] * 4), max_size=30)


def as_tensors(cells):
    table = torch.tensor(cells, dtype=torch.long).view(-1, 4)
    return table[:, 1:], table[:, 0]


@settings(deadline=None)
@given(cells)
def test_keys_order_cells_by_batch_then_x_y_z(cells):
    key, _ = voxel_key(*as_tensors(cells))
    order = sorted(range(len(cells)), key=lambda i: cells[i])
    assert torch.sort(key, stable=True).indices.tolist() == order
    assert len(set(key.tolist())) == len(set(cells))


@settings(deadline=None)
@given(cells, st.integers(1, 2))
def test_margin_keeps_neighbors_apart(cells, margin):
    """A cell's key plus an offset is the key of the cell there, and of no other, in this cloud or the next."""
    grid, batch = as_tensors(cells)
    key, step = voxel_key(grid, batch, margin)
    occupied = dict(zip(key.tolist(), cells, strict=True))
    for (b, x, y, z), k in zip(cells, key.tolist(), strict=True):
        for dx, dy, dz in ((margin, -margin, margin), (-margin, margin, 0), (0, margin, -margin), (0, 0, margin)):
            found = occupied.get(k + int(dx * step[0] + dy * step[1] + dz))
            expected = (b, x + dx, y + dy, z + dz)
            assert found == (expected if expected in cells else None)


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), max_size=30))
def test_runs_are_the_groups_of_equal_keys(keys):
    key = torch.tensor(keys, dtype=torch.long)
    order, start, run = sorted_runs(key)
    unique, inverse, counts = torch.unique(key, return_inverse=True, return_counts=True)
    assert torch.equal(run, inverse)
    assert torch.equal(start.diff(), counts)
    assert torch.equal(key[order[start[:-1]]], unique)
    assert order.tolist() == sorted(range(len(keys)), key=lambda i: (keys[i], i))


@settings(deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 1e3, 1e15]))
def test_representatives_are_the_first_points_of_their_cells(seed, width):
    """Also where the cells are more than 64 bits can number."""
    coord = np.random.default_rng(seed).uniform(-width, width, (60, 3))
    coord[30:] = coord[:30][::-1]
    cells = [tuple(cell) for cell in np.floor(coord / 0.5).astype(np.int64)]
    assert list(voxelize(coord, 0.5)) == [i for i, cell in enumerate(cells) if cell not in cells[:i]]
    assert len(voxelize(coord[:0], 0.5)) == 0
