import copy

import torch

from pointins_ext.branch import OffsetHead, StageFeatures


def plain(*shape):
    return StageFeatures(torch.randn(*shape))


def test_offsets_start_near_zero_but_can_learn():
    torch.manual_seed(0)
    head = OffsetHead(16, 32)
    offset = head(plain(200, 16))
    assert offset.shape == (200, 3) and 0 < offset.norm(dim=1).mean() < 0.05
    offset.sum().backward()
    assert all(p.grad is not None for p in head.parameters())


def test_stages_give_what_their_concatenation_gives():
    torch.manual_seed(0)
    head = OffsetHead(12, 32)
    stages = [torch.randn(n, c, requires_grad=True) for n, c in ((50, 2), (20, 4), (7, 6))]
    features = StageFeatures(stages[0], ((stages[1], torch.randint(20, (50,))), (stages[2], torch.randint(7, (50,)))))
    assert features.channels == (2, 4, 6) and features.concatenated().shape == (50, 12)
    expected = head.mlp(features.concatenated())
    torch.testing.assert_close(head(features), expected)
    weight = torch.randn(50, 3)
    wanted = torch.autograd.grad((expected * weight).sum(), [*stages, *head.parameters()])
    found = torch.autograd.grad((head(features) * weight).sum(), [*stages, *head.parameters()])
    torch.testing.assert_close(found, wanted)


def test_points_are_independent_and_no_state_is_kept():
    head = OffsetHead(8).train()
    feat = torch.randn(50, 8)
    torch.testing.assert_close(head(StageFeatures(feat))[7:9], head(StageFeatures(feat[7:9])))
    assert torch.equal(head(StageFeatures(feat)), head.eval()(StageFeatures(feat)))  # no dropout, no batch statistics
    assert not list(head.buffers()) and head(plain(0, 8)).shape == (0, 3)


def test_half_precision_outside_only():
    head = OffsetHead(8)
    features = plain(20, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = head(features)
    assert inside.dtype == torch.float32 and torch.equal(inside, head(features))
    assert head(StageFeatures(features.finest.bfloat16())).dtype == torch.float32


def test_copies_are_equal():
    head = OffsetHead(8)
    features = plain(5, 8)
    assert torch.equal(copy.deepcopy(head)(features), head(features))
