import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.branch import offset_loss
from tests.oracles.offset_loss import offset_loss as oracle


def vectors(num_points, seed):
    return torch.randn(num_points, 3, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(num_points=st.integers(1, 40), seed=st.integers(0, 2**16))
def test_equals_the_slow_restatement(num_points, seed):
    prediction, target = vectors(num_points, seed), vectors(num_points, seed + 1)
    valid = torch.rand(num_points, generator=torch.Generator().manual_seed(seed)) > 0.3
    result = offset_loss(prediction, target, valid)
    expected = oracle(prediction.double().numpy(), target.double().numpy(), valid.numpy())
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)


def test_golden_numbers():
    target = torch.tensor([[1.0, 0.0, 0.0]])
    assert float(offset_loss(target, target)) == 0.0
    assert float(offset_loss(-target, target)) == 4.0  # L1 2, cosine -1
    assert float(offset_loss(torch.tensor([[0.0, 1.0, 0.0]]), target)) == 3.0
    assert float(offset_loss(torch.zeros(1, 3), target)) == 2.0


@pytest.mark.parametrize("group", [None, torch.tensor([0, 1, 1, 3])])
def test_nothing_valid_is_exactly_zero_with_a_zero_gradient(group):
    prediction = vectors(4, 0).requires_grad_()
    target = torch.full((4, 3), float("nan"))
    loss = offset_loss(prediction, target, torch.zeros(4, dtype=torch.bool), group)
    loss.backward()
    assert loss == 0.0 and torch.equal(prediction.grad, torch.zeros(4, 3))
    empty = torch.zeros(0, 3, requires_grad=True)
    loss = offset_loss(empty, torch.zeros(0, 3), None, None if group is None else group[:0])
    loss.backward()
    assert loss == 0.0 and empty.grad.shape == (0, 3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_invalid_targets_do_not_travel(bad):
    prediction, target = vectors(5, 0).requires_grad_(), vectors(5, 1)
    valid = torch.tensor([True, True, False, True, False])
    expected = offset_loss(prediction.detach()[valid], target[valid])
    loss = offset_loss(prediction, torch.where(valid[:, None], target, bad), valid)
    loss.backward()
    torch.testing.assert_close(loss.detach(), expected)
    assert torch.isfinite(prediction.grad).all() and (prediction.grad[~valid] == 0).all()


def test_invalid_predictions_do_not_reach_the_loss():
    prediction, target = vectors(4, 0), vectors(4, 1)
    prediction[2] = float("nan")
    valid = torch.tensor([True, True, False, True])
    torch.testing.assert_close(offset_loss(prediction, target, valid), offset_loss(prediction[valid], target[valid]))


@pytest.mark.parametrize("length", [0.0, 1e-30, 1e-12, 1e-6])
def test_short_predictions_and_targets_have_finite_gradients(length):
    for prediction, target in (
        (vectors(4, 0) * length, vectors(4, 1)),
        (vectors(4, 0), vectors(4, 1) * length),
        (vectors(4, 0) * length, vectors(4, 1) * length),
    ):
        prediction.requires_grad_()
        loss = offset_loss(prediction, target)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(prediction.grad).all()
        assert prediction.grad.abs().max() < 2e4


def test_gradient_is_the_derivative():
    target = vectors(6, 1).double()
    valid = torch.tensor([True, False, True, True, True, False])
    prediction = vectors(6, 0).requires_grad_()
    offset_loss(prediction, target, valid).backward()
    step = 1e-3
    for point in range(6):
        for axis in range(3):
            ends = []
            for sign in (1, -1):
                moved = prediction.detach().clone()
                moved[point, axis] += sign * step
                ends.append(oracle(moved.double().numpy(), target.numpy(), valid.numpy()))
            assert float(prediction.grad[point, axis]) == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=2e-3)


def test_groups_weigh_the_same_as_averaged_processes_do():
    prediction, target = vectors(30, 0), vectors(30, 1)
    valid = torch.rand(30, generator=torch.Generator().manual_seed(2)) > 0.2
    group = torch.tensor([0] * 3 + [1] * 12 + [2] * 5 + [3] * 10)

    def loss_and_gradient(rows):
        leaf = prediction[rows].clone().requires_grad_()
        loss = offset_loss(leaf, target[rows], valid[rows], group[rows] - group[rows].min())
        loss.backward()
        return loss.detach(), leaf.grad

    whole, gradient = loss_and_gradient(torch.arange(30))
    ranks = [loss_and_gradient(torch.arange(15)), loss_and_gradient(torch.arange(15, 30))]
    torch.testing.assert_close(whole, (ranks[0][0] + ranks[1][0]) / 2)
    torch.testing.assert_close(gradient, torch.cat([g for _, g in ranks]) / 2)
    means = [float(offset_loss(prediction[group == g], target[group == g], valid[group == g])) for g in range(4)]
    assert float(whole) == pytest.approx(np.mean(means), rel=1e-5)


def test_groups_without_valid_points_do_not_count():
    prediction, target = vectors(6, 0), vectors(6, 1)
    valid = torch.tensor([True, True, True, False, False, True])
    group = torch.tensor([0, 0, 0, 1, 1, 4])
    expected = (offset_loss(prediction[:3], target[:3]) + offset_loss(prediction[5:], target[5:])) / 2
    torch.testing.assert_close(offset_loss(prediction, target, valid, group), expected)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_computed_in_single(kind):
    result = offset_loss(vectors(4, 0).to(kind), vectors(4, 1).to(kind), torch.tensor([True, True, True, False]))
    assert result.dtype == torch.float32 and torch.isfinite(result)
