"""The stand-in for flash-attn against attention written out, a sequence at a time."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.host import stand_ins
from pointins_ext.host.stand_ins.flash_attn import flash_attn_varlen_qkvpacked_func


@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), seed=st.integers(0, 100))
def test_every_sequence_attends_to_itself(lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    qkv = torch.randn(sum(lengths), 3, 2, 6, generator=generator, requires_grad=True)
    cuts = torch.tensor([0, *lengths]).cumsum(0).int()
    found = flash_attn_varlen_qkvpacked_func(qkv, cuts, max(lengths), softmax_scale=0.4)
    expected = []
    for part in qkv.split(lengths):
        query, key, value = part.unbind(1)
        weight = (0.4 * torch.einsum("ihc,jhc->hij", query, key)).softmax(-1)
        expected.append(torch.einsum("hij,jhc->ihc", weight, value))
    torch.testing.assert_close(found, torch.cat(expected))
    slope = torch.randn(found.shape, generator=generator)
    mine, theirs = (torch.autograd.grad((x * slope).sum(), qkv)[0] for x in (found, torch.cat(expected)))
    torch.testing.assert_close(mine, theirs)


def test_halves_stay_halves():
    qkv = torch.randn(5, 3, 2, 6).half()
    assert flash_attn_varlen_qkvpacked_func(qkv, torch.tensor([0, 2, 5]), 3).dtype == torch.float16


@pytest.mark.skipif(torch.cuda.is_available(), reason="flash-attn itself may run here")
def test_litept_alone_is_given_it(monkeypatch):
    module = type(stand_ins)("pointcept.models.litept.litept_v1")
    module.flash_attn = None
    monkeypatch.setitem(stand_ins.sys.modules, module.__name__, module)
    stand_ins.serve_litept()
    assert module.flash_attn.flash_attn_varlen_qkvpacked_func is flash_attn_varlen_qkvpacked_func
    assert "flash_attn" not in stand_ins.sys.modules
