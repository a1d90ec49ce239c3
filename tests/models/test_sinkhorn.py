import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointins_ext.models.sinkhorn import sinkhorn_knopp, zipf_sinkhorn, zipf_weights
from tests.oracles import dos as oracle
from tests.oracles import sonata as sonata_oracle


def cosines(num_points, num_prototypes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(num_points, num_prototypes, generator=generator) - 1


@pytest.mark.parametrize("exponent", [0.0, 1.3, 2.0])
def test_weights_follow_zipf(exponent):
    weight = zipf_weights(50, exponent)
    np.testing.assert_allclose(weight.numpy(), oracle.zipf_weights(50, exponent), rtol=1e-5)
    assert float(weight.sum()) == pytest.approx(1.0) and (weight.diff() <= 0).all()
    torch.testing.assert_close(weight[0] / weight[9], torch.tensor(10.0**exponent))


# the column sums before the last step equal w, output columns sum to 1
@settings(max_examples=15, deadline=None)
@given(
    num_points=st.integers(1, 30),
    num_prototypes=st.integers(1, 12),
    temperature=st.sampled_from([0.04, 0.07, 0.5]),
    exponent=st.sampled_from([0.0, 1.3]),
    iterations=st.integers(1, 5),
    seed=st.integers(0, 2**16),
)
def test_equals_the_slow_restatement(num_points, num_prototypes, temperature, exponent, iterations, seed):
    similarity = cosines(num_points, num_prototypes, seed)
    result = zipf_sinkhorn(similarity, temperature, exponent, iterations)
    expected, mass = oracle.zipf_sinkhorn(similarity.double().numpy(), temperature, exponent, iterations)
    np.testing.assert_allclose(result.numpy(), expected, atol=2e-5)
    np.testing.assert_allclose(mass, zipf_weights(num_prototypes, exponent).numpy(), rtol=1e-5)
    torch.testing.assert_close(result.sum(0), torch.ones(num_prototypes))


# exponent 0 is plain Sinkhorn, which balances rows and columns alike
def test_exponent_zero_is_plain_sinkhorn():
    similarity = cosines(60, 8)
    q = (similarity / 0.2).exp()
    for _ in range(200):
        q = q / q.sum(1, keepdim=True) / 60
        q = q / q.sum(0, keepdim=True) / 8
    result = zipf_sinkhorn(similarity, 0.2, exponent=0.0, iterations=200)
    torch.testing.assert_close(result, q / q.sum(0), atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(result.sum(1), torch.full((60,), 8 / 60), atol=1e-4, rtol=0)


def test_every_point_carries_the_same_mass_after_convergence():
    similarity = cosines(60, 8)
    result = zipf_sinkhorn(similarity, 0.2, exponent=1.3, iterations=300)
    mass = (result * zipf_weights(8, 1.3)).sum(1)
    torch.testing.assert_close(mass, torch.full((60,), 1 / 60), atol=1e-5, rtol=0)


def test_frequent_prototypes_get_broader_maps():
    similarity = 0.3 * torch.randn(2000, 64, generator=torch.Generator().manual_seed(1))

    def breadth(exponent):
        softmap = zipf_sinkhorn(similarity, 0.07, exponent)
        return torch.special.entr(softmap).sum(0).exp()

    assert breadth(1.3)[:5].mean() > 1.2 * breadth(0.0)[:5].mean()


@pytest.mark.parametrize("temperature", [1e-3, 0.04, 100.0])
def test_extreme_temperatures_stay_finite(temperature):
    result = zipf_sinkhorn(cosines(40, 6), temperature)
    assert torch.isfinite(result).all()
    torch.testing.assert_close(result.sum(0), torch.ones(6))


def test_no_points_half_precision_and_no_gradient():
    assert zipf_sinkhorn(torch.zeros(0, 5), 0.07).shape == (0, 5)
    similarity = cosines(20, 5).requires_grad_()
    result = zipf_sinkhorn(similarity, 0.07)
    assert not result.requires_grad and result.dtype == torch.float32
    half = similarity.detach().bfloat16()
    assert torch.equal(zipf_sinkhorn(half, 0.07), zipf_sinkhorn(half.float(), 0.07))


# -- Sonata's: equal prototypes -------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    num_points=st.integers(1, 30),
    num_prototypes=st.integers(1, 12),
    temperature=st.sampled_from([0.04, 0.07, 0.5]),
    iterations=st.integers(1, 5),
    seed=st.integers(0, 2**16),
)
def test_knopp_equals_the_slow_restatement(num_points, num_prototypes, temperature, iterations, seed):
    similarity = cosines(num_points, num_prototypes, seed)
    result = sinkhorn_knopp(similarity, temperature, iterations)
    expected, mass = sonata_oracle.sinkhorn_knopp_loops(similarity.double().numpy(), temperature, iterations)
    np.testing.assert_allclose(result.numpy(), expected, atol=2e-5)
    np.testing.assert_allclose(mass, np.full(num_prototypes, 1 / num_prototypes), rtol=1e-5)
    torch.testing.assert_close(result.sum(1), torch.ones(num_points))


def test_knopp_balances_prototypes_after_convergence():
    result = sinkhorn_knopp(cosines(60, 8), 0.2, iterations=200)
    torch.testing.assert_close(result.sum(0), torch.full((8,), 60 / 8), atol=1e-3, rtol=0)


def test_knopp_at_the_limits():
    assert sinkhorn_knopp(torch.zeros(0, 5), 0.07).shape == (0, 5)
    sharp = sinkhorn_knopp(cosines(40, 6).requires_grad_(), 1e-3)
    assert torch.isfinite(sharp).all() and not sharp.requires_grad
    half = cosines(20, 5).bfloat16()
    assert torch.equal(sinkhorn_knopp(half, 0.07), sinkhorn_knopp(half.float(), 0.07))
