import copy

import torch

from pointins_ext.branch import OffsetHead


def test_offsets_start_near_zero_but_can_learn():
    torch.manual_seed(0)
    head = OffsetHead(16, 32)
    offset = head(torch.randn(200, 16))
    assert offset.shape == (200, 3) and 0 < offset.norm(dim=1).mean() < 0.05
    offset.sum().backward()
    assert all(p.grad is not None for p in head.parameters())


def test_points_are_independent_and_no_state_is_kept():
    head = OffsetHead(8).train()
    feat = torch.randn(50, 8)
    torch.testing.assert_close(head(feat)[7:9], head(feat[7:9]))
    assert torch.equal(head(feat), head.eval()(feat))  # no dropout, no batch statistics
    assert not list(head.buffers()) and head(feat[:0]).shape == (0, 3)


def test_half_precision_outside_only():
    head = OffsetHead(8)
    feat = torch.randn(20, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = head(feat)
    assert inside.dtype == torch.float32 and torch.equal(inside, head(feat))
    assert head(feat.bfloat16()).dtype == torch.float32


def test_copies_are_equal():
    head = OffsetHead(8)
    feat = torch.randn(5, 8)
    assert torch.equal(copy.deepcopy(head)(feat), head(feat))
