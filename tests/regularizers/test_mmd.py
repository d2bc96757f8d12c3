"""Tests of the MMD by hand, and of its limits."""

import math

import pytest
import torch

from vae_lightning.distributions import Bernoulli, DeltaDistribution, DiagonalGaussian, ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.regularizers import MMD, mmd

A = torch.tensor([[0.0], [1.0], [3.0]])
B = torch.tensor([[0.0], [2.0], [2.0]])


def rbf(squared: float) -> float:
    return math.exp(-squared / 2)  # D = 1


def imq(squared: float) -> float:
    return 2 / (2 + squared)


@pytest.mark.parametrize(("name", "k"), [("rbf", rbf), ("imq", imq)])
def test_unbiased_estimate_by_hand_for_samples_of_three(name, k):
    """Squared distances: 1, 9, 4 in A; 4, 4, 0 in B; 0 4 4, 1 1 1, 9 1 1 between A and B."""
    within_a = (k(1) + k(9) + k(4)) / 3
    within_b = (k(4) + k(4) + k(0)) / 3
    between = (k(0) + 2 * k(4) + 3 * k(1) + k(9) + 2 * k(1)) / 9
    assert mmd(A, B, name).item() == pytest.approx(within_a + within_b - 2 * between, rel=1e-6)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_estimate_for_equal_distributions_is_unbiased_and_tends_to_0(kernel):
    torch.manual_seed(0)
    estimates = {
        n: torch.stack([mmd(torch.randn(n, 4), torch.randn(n, 4), kernel) for _ in range(200)]) for n in (10, 200)
    }
    for values in estimates.values():
        assert values.mean().abs() < 4 * values.std() / 200**0.5
        assert values.min() < 0  # a biased estimate would be positive
    assert estimates[200].std() < estimates[10].std() / 5


def test_rbf_mmd_of_two_gaussians_equals_the_closed_form():
    """E k = (1 + 2/D)^(-D/2) exp(-‖m‖² / (2 (D + 2))) for k = exp(-d²/2D) between N(0, I) and N(m, I)."""
    torch.manual_seed(0)
    d, shift = 3, 1.5
    same = (1 + 2 / d) ** (-d / 2)
    expected = 2 * same * (1 - math.exp(-d * shift**2 / (2 * (d + 2))))
    values = torch.stack([mmd(torch.randn(500, d), torch.randn(500, d) + shift, "rbf") for _ in range(20)])
    assert values.mean().item() == pytest.approx(expected, abs=4 * values.std().item() / 20**0.5)


def test_sample_of_size_one_has_no_unbiased_estimate_and_no_gradient():
    z = torch.zeros(1, 2, requires_grad=True)
    value = mmd(z, torch.ones(1, 2), "imq")
    value.backward()
    assert value.item() == 0
    assert (z.grad == 0).all()
    assert mmd(z, torch.ones(1, 2), "imq", estimator="biased").item() == pytest.approx(2 - 2 * 4 / (4 + 2))


def forward_pass(q) -> ForwardPass:
    x = torch.zeros(50, 1, 1, 1)
    return ForwardPass(x, None, q, DiagonalGaussian(torch.zeros(1, 2), torch.zeros(1, 2)), q.mu, Bernoulli()(x))


@pytest.mark.parametrize(
    ("alpha", "lambda_mmd", "kl", "weight"), [(0.0, 1.0, 1, 0), (1.0, 10.0, 0, 10), (-1.0, 5.0, 2, 3)]
)
def test_weights_are_those_of_info_vae(alpha, lambda_mmd, kl, weight):
    q = DiagonalGaussian(torch.randn(50, 2), torch.zeros(50, 2))
    penalty, terms = MMD(alpha=alpha, lambda_mmd=lambda_mmd, kernel="rbf")(forward_pass(q))
    torch.testing.assert_close(penalty, kl * terms["rate"] + weight * terms["mmd"])


def test_delta_distribution_has_no_rate():
    penalty, terms = MMD(alpha=1.0, lambda_mmd=2.0, kernel="imq")(forward_pass(DeltaDistribution(torch.randn(50, 2))))
    assert set(terms) == {"mmd"}
    torch.testing.assert_close(penalty, 2 * terms["mmd"])


def test_unknown_kernel_raises():
    with pytest.raises(UserError, match=r"model.kernel=linear: not a valid choice. Choose one of rbf, imq."):
        MMD(alpha=1.0, lambda_mmd=1.0, kernel="linear")


def test_biased_estimate_by_hand_includes_pairs_of_a_point_with_itself():
    within_a = (3 + 2 * (rbf(1) + rbf(9) + rbf(4))) / 9
    within_b = (3 + 2 * (rbf(4) + rbf(4) + rbf(0))) / 9
    between = (rbf(0) + 2 * rbf(4) + 3 * rbf(1) + rbf(9) + 2 * rbf(1)) / 9
    expected = within_a + within_b - 2 * between
    assert mmd(A, B, "rbf", estimator="biased").item() == pytest.approx(expected, rel=1e-6)
    assert mmd(A, A.flip(0), "imq", estimator="biased").item() == pytest.approx(0, abs=1e-6)


def test_bandwidth_is_the_scale_of_squared_distances():
    stretched = mmd(3 * A, 3 * B, "imq", bandwidth=9 * 2.0)
    torch.testing.assert_close(stretched, mmd(A, B, "imq"))


def test_kernels_of_several_bandwidths_are_added():
    factors = (0.1, 1.0, 5.0)
    expected = sum(mmd(A, B, "imq", bandwidth=2.0 * factor) for factor in factors)
    torch.testing.assert_close(mmd(A, B, "imq", bandwidth_factors=factors), expected)


def test_options_reach_the_estimate():
    out = forward_pass(DeltaDistribution(torch.randn(50, 2)))
    options = {"bandwidth": 3.0, "bandwidth_factors": [0.5, 2.0]}
    torch.manual_seed(1)
    _, terms = MMD(alpha=1.0, lambda_mmd=1.0, kernel="imq", mmd_estimator="biased", **options)(out)
    torch.manual_seed(1)
    expected = mmd(out.z, out.pz.sample(50), "imq", estimator="biased", **options)
    assert torch.equal(terms["mmd"], expected)


def test_unknown_estimator_raises():
    with pytest.raises(UserError, match=r"model.mmd_estimator=v: not a valid choice. Choose one of unbiased, biased."):
        MMD(alpha=1.0, lambda_mmd=1.0, kernel="rbf", mmd_estimator="v")


def test_logged_weights_are_those_of_the_penalty():
    """(1 - α) KL + (α + λ - 1) MMD², Zhao et al. 2019, Eq. 6, during the warm-up."""
    assert MMD(alpha=0.5, lambda_mmd=10.0, kernel="rbf").effective_weights(0.5) == {"beta": 0.25, "lambda_mmd": 4.75}
