import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.embedded.serialization import encode
from tests.oracles import ptv3_peer

ORDERS = ("z", "z-trans", "hilbert", "hilbert-trans")
voxels = st.integers(1, 16).flatmap(
    lambda depth: st.tuples(st.just(depth), st.tuples(*[st.integers(0, 2**depth - 1)] * 3), st.integers(0, 5))
)


GOLDEN = (
    (16, "z", [29, 281474976842509, 562949967801853, 1075793285274413]),
    (16, "hilbert", [36, 281474976837374, 562949967801418, 990267141596278]),
    (16, "hilbert-trans", [20, 281474976744142, 562949967801416, 1001262869783762]),
    (8, "hilbert", [22, 16811978, 42542446, 65274102]),
)


def cube(depth):
    return torch.tensor(list(itertools.product(range(2**depth), repeat=3)))


@settings(deadline=None)
@given(voxels)
def test_z_order_interleaves_bits(voxel):
    depth, (x, y, z), batch = voxel
    bits = "".join(f"{x >> i & 1}{y >> i & 1}{z >> i & 1}" for i in reversed(range(depth)))
    code = encode(torch.tensor([[x, y, z]]), torch.tensor([batch]), depth, "z")
    assert code.item() == batch * 8**depth + int(bits, 2)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_every_cell_has_its_own_code(order, depth):
    assert sorted(encode(cube(depth), None, depth, order).tolist()) == list(range(8**depth))


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_hilbert_curve_steps_to_a_face_neighbor(depth):
    cells = cube(depth)
    path = cells[encode(cells, None, depth, "hilbert").argsort()]
    assert (path.diff(dim=0).abs().sum(1) == 1).all()


def test_trans_swaps_x_and_y():
    cells = cube(2)
    for curve in ("z", "hilbert"):
        assert torch.equal(encode(cells, None, 2, f"{curve}-trans"), encode(cells[:, [1, 0, 2]], None, 2, curve))


def test_codes_of_pointcept():
    """Golden codes, from Pointcept's encoder."""
    cells = torch.tensor([[1, 2, 3], [37, 0, 11], [255, 254, 7], [65535, 40000, 123]])
    for depth, order, expected in GOLDEN:
        assert encode(cells, torch.tensor([0, 1, 2, 3]), depth, order).tolist() == expected


@pytest.mark.parametrize("order", ORDERS)
def test_equals_the_codes_of_torch_pointcloud(order):
    peer = ptv3_peer.load("ops.serialization")
    generator = torch.Generator().manual_seed(0)
    for depth in (1, 7, 8, 9, 16):
        cells = torch.randint(0, 2**depth, (200, 3), generator=generator)
        batch = torch.randint(0, 3, (200,), generator=generator)
        assert torch.equal(encode(cells, batch, depth, order), peer.serialize_pos(cells, batch, depth, order))


@pytest.mark.parametrize("order", ["zz", "z-trans-trans", "", "morton"])
def test_unknown_order_is_named(order):
    with pytest.raises(ValueError, match="unknown serialization order"):
        encode(cube(1), None, 1, order)
