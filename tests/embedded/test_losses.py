"""Losses on logits: against plain loops, torch, and what each promises at its ends."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointins_ext.embedded.losses import CrossEntropyLoss, LovaszLoss, build_criteria

CE, LOVASZ = dict(type="CrossEntropyLoss", ignore_index=-1), dict(type="LovaszLoss", ignore_index=-1)


def labeled(seed, number=40, classes=4):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(number, classes, generator=generator, dtype=torch.double)
    return logits, torch.randint(-1, classes, (number,), generator=generator)


def lovasz_loops(probability, label):
    """Berman et al., equation 8 and the sum over sorted errors, class by class."""
    losses = []
    for c in sorted(set(label.tolist())):
        error = np.where(label == c, 1 - probability[:, c], probability[:, c])
        order = np.argsort(-error, kind="stable")
        taken, before, loss = np.zeros(len(label), bool), 0.0, 0.0
        for i in order:  # mispredict one point more: the Jaccard loss grows from `before`
            taken[i] = True
            wrong = taken & (label == c)
            after = 1 - ((label == c) & ~wrong).sum() / ((label == c) | taken).sum()
            loss += error[i] * (after - before)
            before = after
        losses.append(loss)
    return np.mean(losses)


@given(st.integers(0, 2**31))
def test_lovasz_equals_the_loops(seed):
    logits, label = labeled(seed)
    known = label >= 0
    expected = lovasz_loops(logits.softmax(1)[known].numpy(), label[known].numpy())
    assert float(LovaszLoss(ignore_index=-1)(logits, label)) == pytest.approx(expected)


def test_lovasz_is_one_minus_iou_where_predictions_are_certain():
    label = torch.tensor([0, 0, 0, 1, 1, 1])
    logits = 1e4 * torch.nn.functional.one_hot(torch.tensor([0, 0, 1, 1, 1, 1])).double()
    assert float(LovaszLoss()(logits, label)) == pytest.approx(1 - (2 / 3 + 3 / 4) / 2)


def test_without_labels_there_is_no_loss_and_no_gradient():
    logits = torch.randn(5, 3, requires_grad=True)
    LovaszLoss(ignore_index=-1)(logits, torch.full((5,), -1)).backward()
    assert torch.equal(logits.grad, torch.zeros(5, 3))


def test_cross_entropy_is_torchs_with_weights():
    logits, label = labeled(1)
    weight = [1.0, 2.0, 0.5, 4.0]
    expected = torch.nn.functional.cross_entropy(logits, label, torch.tensor(weight).double(), ignore_index=-1)
    torch.testing.assert_close(CrossEntropyLoss(weight=weight, loss_weight=0.5)(logits, label), expected / 2)


def test_criteria_are_a_sum_and_save_nothing():
    logits, label = labeled(2)
    both = build_criteria([dict(CE, weight=[1.0] * 4), LOVASZ])
    torch.testing.assert_close(both(logits, label), sum(build_criteria([c])(logits, label) for c in (CE, LOVASZ)))
    assert not both.state_dict()


def test_half_precision_counts_as_well():
    """Thousands of points of one class: sums of ones in bfloat16 stop at 256."""
    logits, label = torch.zeros(4000, 3), torch.zeros(4000, dtype=torch.long)
    logits[:1000, 1] = 4.0
    both = build_criteria([CE, LOVASZ])
    torch.testing.assert_close(both(logits.bfloat16(), label), both(logits, label))


def test_other_modes_are_refused():
    with pytest.raises(ValueError, match="multiclass"):
        LovaszLoss(mode="binary")


@pytest.mark.parametrize("weight", [None, [0.0, 1.0, 2.0, 0.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("label", [[-1, -1, -1], [0, 3, -1], []])
def test_a_batch_that_teaches_nothing_costs_nothing(weight, smoothing, label):
    """No label, labels of classes that weigh nothing, no point."""
    logits, label = torch.randn(len(label), 4, requires_grad=True), torch.tensor(label, dtype=torch.long)
    loss = build_criteria([CE | dict(weight=weight, label_smoothing=smoothing), LOVASZ])(logits, label)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()
    if (label < 0).all():
        assert float(loss) == 0 and (logits.grad == 0).all()


def test_class_weights_that_count_are_torchs():
    logits, label = labeled(3)
    weight = torch.tensor([0.0, 1.0, 2.0, 0.0], dtype=torch.double)
    expected = torch.nn.functional.cross_entropy(logits, label, weight, ignore_index=-1)
    assert CrossEntropyLoss(weight=weight.tolist())(logits, label) == expected
    zeros = torch.where(label == 1, 0, label.clamp_max(0))
    assert CrossEntropyLoss(weight=weight.tolist())(logits, zeros) == 0
