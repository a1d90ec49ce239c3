"""Boxes of clusters: the targets of each point in its view, and the head that learns them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.models.boxes import MIN_SIZE, box_targets
from tests.fixtures.tiny_pointins import about_z, build, record
from tests.fixtures.tiny_psa import ANCHOR, assert_same_boxes, clustered, decode, farthest, psa_config


@settings(max_examples=40, deadline=None)
@given(degrees=st.floats(-180, 180), scale=st.floats(0.5, 2.0), flip=st.booleans(), seed=st.integers(0, 2**16))
def test_boxes_come_back_from_any_view(degrees, scale, flip, seed):
    generator = torch.Generator().manual_seed(seed)
    box = torch.randn(20, 7, generator=generator)
    box[:, 3:6] = 0.2 + 4 * torch.rand(20, 3, generator=generator)
    coord = 5 * torch.randn(20, 3, generator=generator)
    to_view, shift = about_z(degrees, scale, flip), torch.randn(3, generator=generator)
    target = box_targets(box, coord, to_view.expand(20, 3, 3), shift.expand(20, 3), torch.tensor(ANCHOR))
    assert_same_boxes(decode(target, coord, to_view.double().inverse(), shift, ANCHOR), box)


def test_the_anchor_on_its_point_is_the_origin_and_half_turns_are_nothing():
    box = torch.tensor([[1.0, 2.0, 3.0, *ANCHOR, 0.3], [1.0, 2.0, 3.0, *ANCHOR, 0.3 + math.pi]])
    eye, zero = torch.eye(3).expand(2, 3, 3), torch.zeros(2, 3)
    target = box_targets(box, box[:, :3], eye, zero, torch.tensor(ANCHOR))
    torch.testing.assert_close(target[:, :6], torch.zeros(2, 6))
    torch.testing.assert_close(target[:, 6:], torch.tensor([[math.sin(0.6), math.cos(0.6)]] * 2))


def test_flat_boxes_have_finite_targets():
    box = torch.tensor([[0.0, 0, 0, 1, 0, 0, 0]])
    target = box_targets(box, box[:, :3], torch.eye(3)[None], torch.zeros(1, 3), torch.tensor(ANCHOR))
    assert target[0, 4] == pytest.approx(math.log(MIN_SIZE / 1.6)) and torch.isfinite(target).all()


def test_the_box_head_reads_both_views():
    model = build(psa_config())
    calls = []
    model.student.box_head.register_forward_hook(lambda module, args, output: calls.append(args))
    _, teacher, student = record(model, clustered())
    own, other = calls[0]
    for feat, source in ((own, student), (other, teacher)):
        assert farthest(feat.detach(), source.feat.detach()) < 1e-4
    assert own.requires_grad and not other.requires_grad
