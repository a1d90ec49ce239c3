import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from pointins_ext.ops.subm_conv import SubMConv3d, kernel_map, subm_conv


def scattered_cells(seed=0, count=120, extent=6, batches=2):
    """(M,4) distinct cells (batch, x, y, z) in random order."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randint(0, extent, (count, 4), generator=generator)
    cells[:, 0] %= batches
    cells = torch.unique(cells, dim=0)
    return cells[torch.randperm(len(cells), generator=generator)]


def definition(feat, weight, cells):
    """The sum of the docstring, point by point: own center term, first point of every other cell of the kernel."""
    radius = weight.shape[1] // 2
    first = {}
    for i, cell in enumerate(cells):
        first.setdefault(cell, i)
    rows = []
    for i, (b, x, y, z) in enumerate(cells):
        row = weight[:, radius, radius, radius] @ feat[i]
        for d in itertools.product(range(-radius, radius + 1), repeat=3):
            j = first.get((b, x + d[0], y + d[1], z + d[2]))
            if any(d) and j is not None:
                row = row + weight[:, d[0] + radius, d[1] + radius, d[2] + radius] @ feat[j]
        rows.append(row)
    return torch.stack(rows)


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_equals_dense_convolution(kernel_size):
    torch.manual_seed(0)
    cells = scattered_cells()
    layer = SubMConv3d(3, 4, kernel_size).double()
    feat = torch.randn(len(cells), 3, dtype=torch.double, requires_grad=True)
    leaves = [feat, layer.weight, layer.bias]
    sparse = layer(feat, kernel_map(cells[:, 1:], cells[:, 0], kernel_size))

    grid = torch.zeros(2, 6, 6, 6, 3, dtype=torch.double).index_put(tuple(cells.T), feat).permute(0, 4, 1, 2, 3)
    dense = F.conv3d(grid, layer.weight.permute(0, 4, 1, 2, 3), layer.bias, padding=kernel_size // 2)
    dense = dense.permute(0, 2, 3, 4, 1)[tuple(cells.T)]

    torch.testing.assert_close(sparse, dense)
    pull = torch.randn_like(dense)
    gradients = (torch.autograd.grad(out, leaves, pull) for out in (sparse, dense))
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 1), *[st.integers(0, 2)] * 3), min_size=1, max_size=14))
def test_points_that_share_a_cell(cells):
    table = torch.tensor(cells)
    generator = torch.Generator().manual_seed(len(cells))
    feat = torch.randn(len(cells), 2, dtype=torch.double, generator=generator, requires_grad=True)
    weight = torch.randn(3, 3, 3, 3, 2, dtype=torch.double, generator=generator, requires_grad=True)
    ours = subm_conv(feat, weight, kernel_map(table[:, 1:], table[:, 0], 3))
    expected = definition(feat, weight, cells)
    torch.testing.assert_close(ours, expected)
    pull = torch.randn(ours.shape, dtype=torch.double, generator=generator)
    for a, b in zip(*(torch.autograd.grad(out, [feat, weight], pull) for out in (ours, expected)), strict=True):
        torch.testing.assert_close(a, b)


def test_point_order_and_translation_do_not_matter():
    cells, layer = scattered_cells(1), SubMConv3d(3, 4, 3).double()
    feat = torch.randn(len(cells), 3, dtype=torch.double)
    out = layer(feat, kernel_map(cells[:, 1:], cells[:, 0], 3))
    order = torch.randperm(len(cells))
    moved = kernel_map(cells[order, 1:] + torch.tensor([5, 0, 300]), cells[order, 0], 3)
    torch.testing.assert_close(layer(feat[order], moved), out[order])


def test_clouds_of_a_batch_do_not_touch():
    """The same cells in two clouds: changing one leaves the other as it is."""
    cells, layer = scattered_cells(2, batches=1), SubMConv3d(2, 2, 5)
    batch = torch.arange(2).repeat_interleave(len(cells))
    table = kernel_map(cells[:, 1:].repeat(2, 1), batch, 5)
    feat = torch.randn(2 * len(cells), 2)
    changed = torch.where(batch[:, None] == 1, torch.randn_like(feat), feat)
    assert torch.equal(layer(feat, table)[batch == 0], layer(changed, table)[batch == 0])


@pytest.mark.parametrize("count", [0, 1])
def test_tiny_clouds(count):
    layer = SubMConv3d(2, 3, 3)
    feat = torch.randn(count, 2, requires_grad=True)
    out = layer(feat, kernel_map(torch.zeros(count, 3, dtype=torch.long), torch.zeros(count, dtype=torch.long), 3))
    torch.testing.assert_close(out, feat @ layer.weight[:, 1, 1, 1].T + layer.bias)
    out.sum().backward()


def test_follows_autocast():
    cells, layer = scattered_cells(3), SubMConv3d(4, 4, 3)
    feat, table = torch.randn(len(cells), 4), kernel_map(cells[:, 1:], cells[:, 0], 3)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(feat, table)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), layer(feat, table), atol=0.05, rtol=0.05)
    out.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32


def test_no_gradient_is_computed_that_nobody_asks_for():
    """The input of a stem is data, and a frozen layer has no weight to learn: a third less, each."""
    cells = scattered_cells(batches=1)
    table = kernel_map(cells[:, 1:], cells[:, 0], 3)
    feat, weight = torch.randn(len(cells), 4), torch.randn(4, 3, 3, 3, 4)

    def run(*wanted):
        leaves = [x.clone().requires_grad_(any(x is other for other in wanted)) for x in (feat, weight)]
        with FlopCounterMode(display=False) as counted:
            subm_conv(*leaves, table).square().sum().backward()
        return [leaf.grad for leaf in leaves], counted.get_total_flops()

    both, flops = run(feat, weight)
    for i, leaf in enumerate((feat, weight)):
        found, fewer = run(leaf)
        assert torch.equal(found[i], both[i]) and found[1 - i] is None and fewer == flops * 2 // 3


def test_half_precision_rounds_the_products_and_the_result_not_each_sum():
    """Features that fill a cube: 27 terms each. Summed in bfloat16 the error is 2.5 times as large."""
    torch.manual_seed(0)
    cells = torch.cartesian_prod(*[torch.arange(8)] * 3)
    layer, feat = SubMConv3d(16, 16, 3, bias=False), torch.randn(512, 16, requires_grad=True)
    table = kernel_map(cells, torch.zeros(512, dtype=torch.long), 3)
    results = []
    for dtype in (torch.float64, torch.bfloat16):
        weight = layer.weight.detach().bfloat16().to(dtype)
        half = feat.detach().bfloat16().to(dtype).requires_grad_()
        out = subm_conv(half, weight, table)
        out.sum().backward()
        results.append((out.detach().double(), half.grad.double()))
    for exact, found in zip(*results, strict=True):
        assert (found - exact).norm() < 0.0025 * exact.norm()


def test_even_kernel_is_refused():
    with pytest.raises(ValueError, match="odd"):
        kernel_map(torch.zeros(1, 3, dtype=torch.long), torch.zeros(1, dtype=torch.long), 4)
