"""The head that turns features into cosines with prototypes."""

import torch

from pointins_ext.models.dos import PrototypeHead


def test_prototypes_give_cosines():
    torch.manual_seed(0)
    head = PrototypeHead(6, 16, 8, 5)
    feat = torch.randn(30, 6)
    similarity = head(feat)
    unit = torch.nn.functional.normalize
    expected = unit(head.mlp(feat), dim=1) @ unit(head.prototype.weight, dim=1).T
    torch.testing.assert_close(similarity, expected)
    assert similarity.abs().max() <= 1 + 1e-5
    head.prototype.weight.data *= 7.0  # only directions of prototypes count
    torch.testing.assert_close(head(feat), similarity)
    assert not list(head.buffers())
