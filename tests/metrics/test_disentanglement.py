"""What holds for all metrics of codes and factors, and values that were worked out on paper."""

from functools import partial
from math import log

import numpy as np
import pytest
import torch
from sklearn.metrics import mutual_info_score

from vae_lightning.errors import UserError
from vae_lightning.metrics import (
    beta_vae_metric,
    dci,
    explicitness,
    factor_vae_metric,
    mig,
    mig_per_factor,
    modularity,
    sap,
    udr,
)
from vae_lightning.metrics.arrays import as_factors, halves, paired
from vae_lightning.metrics.disentanglement.dci import dci_of
from vae_lightning.metrics.disentanglement.modularity import modularity_of
from vae_lightning.metrics.disentanglement.mutual_information import discretize, entropy, mutual_information

POINTS = {"train": 1000, "test": 1000}
CHANCE_SAP = 1 - np.mean([1 / 3, 1 / 4, 1 / 6])  # what separates a perfect latent from one that guesses

# metric; of the perfect code; whether a rotated one must be lower; of noise: each value with a tolerance
METRICS = {
    "mig": (mig, (1.0, 0.001), True, (0.0, 0.01)),
    "dci_disentanglement": (lambda z, y: dci(z, y, trees=10).disentanglement, (1.0, 0.001), True, (0.0, 0.05)),
    "dci_completeness": (lambda z, y: dci(z, y, trees=10).completeness, (1.0, 0.001), True, (0.0, 0.05)),
    "dci_informativeness": (lambda z, y: dci(z, y, trees=10).informativeness, (1.0, 0.001), False, (0.25, 0.05)),
    "sap": (sap, (CHANCE_SAP, 0.03), True, (0.0, 0.05)),
    "sap_continuous": (partial(sap, continuous=True), (1.0, 1e-9), True, (0.0, 0.01)),
    "beta_vae": (partial(beta_vae_metric, **POINTS), (1.0, 0.001), False, (1 / 3, 0.05)),
    "factor_vae": (partial(factor_vae_metric, **POINTS), (1.0, 0.001), True, (0.37, 0.05)),
    "modularity": (modularity, (1.0, 0.001), True, None),
    "explicitness": (explicitness, (1.0, 0.001), False, (0.5, 0.02)),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_code_a_rotated_one_and_noise(name, factors, perfect, rotated, noise):
    metric, best, falls, worst = METRICS[name]
    value = metric(perfect, factors)
    assert value == pytest.approx(best[0], abs=best[1])
    if falls:
        assert metric(rotated, factors) < value - 0.02
    if worst:
        assert metric(noise, factors) == pytest.approx(worst[0], abs=worst[1])


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_latents_does_not_matter(name, factors, perfect, rotated):
    metric = METRICS[name][0]
    code = perfect + 0.5 * rotated
    assert metric(code[:, [2, 0, 1]], factors) == pytest.approx(metric(code, factors), abs=0.03)


@pytest.mark.parametrize("name", METRICS)
def test_the_sign_of_latents_and_latents_that_are_constant_do_not_matter(name, factors, perfect):
    metric = METRICS[name][0]
    code = np.concatenate([np.zeros((len(perfect), 2)), -perfect], axis=1)
    assert metric(code, factors) == pytest.approx(metric(perfect, factors), abs=0.03)


@pytest.mark.parametrize("name", METRICS)
def test_tensors_attributes_and_factors_that_do_not_vary(name, factors, perfect):
    """Two attributes that are there or not, and one that is there always."""
    metric = METRICS[name][0]
    attributes = np.stack([factors[:, 0] == 0, factors[:, 1] > 1, np.ones(len(factors))], axis=1).astype(np.int64)
    value = metric(torch.from_numpy(perfect).float().requires_grad_(), torch.from_numpy(attributes))
    assert value == pytest.approx(metric(perfect, attributes[:, :2]), abs=1e-6)
    assert 0 < value <= 1


@pytest.mark.parametrize("name", METRICS)
def test_a_seed_repeats(name, factors, rotated):
    metric = METRICS[name][0]
    assert metric(rotated, factors) == metric(rotated, factors)


# ---------------------------------------------------------------- mutual information and MIG


def test_counted_information_is_scikit_learns():
    rng = np.random.default_rng(0)
    a = rng.integers(5, size=500)
    b = (a + rng.integers(3, size=500)) % 7
    assert mutual_information(a, b) == pytest.approx(mutual_info_score(a, b))
    assert entropy(a) == pytest.approx(-sum(p * log(p) for p in np.bincount(a) / 500))


def test_bins_have_equal_widths():
    codes = np.array([[0.0, 3.0], [0.24, 3.0], [0.26, 3.0], [1.0, 3.0]])
    assert discretize(codes, 4).T.tolist() == [[0, 0, 1, 3], [0, 0, 0, 0]]


def test_the_gap_of_a_table_by_hand():
    """Code and factor agree in 8 of 10: I = log 2 - H(0.2), so that the gap to a constant is 1 - H(0.2) / log 2."""
    table = [((0, 0), 4), ((0, 1), 1), ((1, 0), 1), ((1, 1), 4)]
    z, v = np.array([pair for pair, times in table for _ in range(times)]).T
    gap = 1 + (0.2 * log(0.2) + 0.8 * log(0.8)) / log(2)
    assert mig(np.stack([z, 0 * z], axis=1), v) == pytest.approx(gap)
    assert mig(z[:, None], v) == pytest.approx(gap)
    assert mig(np.stack([z, z], axis=1), v) == pytest.approx(0.0)


def test_two_factors_in_one_latent_have_a_gap_of_1():
    v = np.stack(np.meshgrid(np.arange(3), np.arange(4)), axis=-1).reshape(-1, 2)
    merged = np.stack([4 * v[:, 0] + v[:, 1], np.zeros(12)], axis=1)
    assert mig_per_factor(merged, v) == pytest.approx([1.0, 1.0])


def test_a_quarter_turn_of_half_a_right_angle_has_no_gap():
    """v1 + v2 and v1 - v2 tell as much of either."""
    v = np.stack(np.meshgrid(np.arange(4), np.arange(4)), axis=-1).reshape(-1, 2)
    assert mig(v @ np.array([[1, 1], [1, -1]]), v) == pytest.approx(0.0, abs=1e-12)


def test_more_values_than_bins_cost_what_they_hide():
    v = np.repeat(np.arange(40), 2)
    assert mig(v[:, None], v, bins=20) == pytest.approx(log(20) / log(40))
    assert mig(v[:, None], v, bins=40) == pytest.approx(1.0)


# ---------------------------------------------------------------- DCI, SAP, modularity


def test_dci_of_importances_by_hand():
    assert dci_of(np.eye(3)) == pytest.approx((1, 1))
    assert dci_of(np.ones((4, 3))) == pytest.approx((0, 0), abs=1e-12)
    shared = 1 + 0.9 * np.log2(0.9) + 0.1 * np.log2(0.1)
    assert dci_of(np.array([[0.9, 0.1], [0.1, 0.9]])) == pytest.approx((shared, shared))
    two_for_one = 1 + (2 / 3 * log(2 / 3) + 1 / 3 * log(1 / 3)) / log(3)  # weighs 1.5 of 2.5
    assert dci_of(np.array([[1, 0], [0.5, 0], [0, 1]])) == pytest.approx((1, 0.6 * two_for_one + 0.4))
    assert dci_of(np.zeros((2, 2))) == (0, 0)


def test_the_gap_of_attributes_is_a_half_at_most(factors, perfect):
    assert sap(perfect, factors[:, 0] == 0) == pytest.approx(0.5, abs=0.05)


def test_continuous_sap_by_hand():
    """Correlations 0.6 and 0.8 make R² 0.36 and 0.64."""
    v = np.array([0, 0, 1, 1])
    up = np.array([-1.0, -1.0, 1.0, 1.0])
    other = np.array([-1.0, 1.0, -1.0, 1.0])
    z = np.stack([0.6 * up + 0.8 * other, 0.8 * up - 0.6 * other], axis=1)
    assert sap(z, v, continuous=True) == pytest.approx(0.28)


def test_modularity_of_informations_by_hand():
    assert modularity_of(np.array([[1.0, 0.5]])) == pytest.approx(0.75)
    assert modularity_of(np.array([[1.0, 0.5, 0.5], [0.2, 0.0, 0.0], [0.0, 0.0, 0.0]])) == pytest.approx((0.75 + 1) / 2)
    assert modularity_of(np.ones((2, 3))) == 0
    assert modularity_of(np.zeros((2, 3))) == 0


def test_modularity_of_noise_is_far_from_0(factors, noise):
    assert modularity(noise, factors) > 0.3


# ---------------------------------------------------------------- metrics that hold a factor fixed


def test_a_constant_latent_would_win_every_vote_if_it_were_let(factors, perfect):
    code = np.concatenate([1e-6 * perfect[:, :1], perfect], axis=1)
    code[:, 0] = 1e-9  # no variance at all
    assert factor_vae_metric(code, factors, **POINTS) == 1.0
    assert factor_vae_metric(0 * code, factors, **POINTS) == 0.0


def test_of_two_latents_turned_into_each_other_half_the_votes_are_right(factors, rotated):
    """Whichever of the two factors is fixed, both latents keep half of their variance; the third factor is told."""
    assert factor_vae_metric(rotated, factors, **POINTS) == pytest.approx(1 / 3 + 2 / 3 * 1 / 2, abs=0.05)


def test_each_of_several_latents_of_one_factor_votes_for_it(factors, perfect):
    assert factor_vae_metric(np.concatenate([perfect, perfect], axis=1), factors, **POINTS) == 1.0


# ---------------------------------------------------------------- UDR


def test_udr_is_1_for_codes_alike_up_to_order_and_sign(perfect, rotated, noise):
    alike = perfect[:, [2, 0, 1]] * [1, -1, 1] + 5
    assert udr([perfect, alike]) == pytest.approx([1, 1])
    assert udr([perfect, np.exp(perfect)]) == pytest.approx([1, 1])  # ranks do not see it
    assert (udr([perfect, rotated]) < 0.8).all()
    assert (udr([perfect, noise]) < 0.1).all()
    assert udr([perfect, alike, perfect, noise])[:3] == pytest.approx([1, 1, 1])  # the median


def test_udr_leaves_out_latents_that_tell_nothing(perfect, noise):
    both = np.concatenate([perfect, noise], axis=1)
    kl = np.array([1, 1, 1, 0.001, 0, 0.01])
    assert udr([both, perfect], [kl, np.ones(3)]) == pytest.approx([1, 1])
    assert (udr([both, perfect]) < 0.8).all()
    assert udr([0 * perfect, perfect]) == pytest.approx([0, 0])


def test_udr_by_hand():
    """Columns 0.8 and 0.6 against one latent: (0.8² / 1.4) for the column, 0.8 and 0.6 for the two rows."""
    a = np.array([[-3, 1, -1, 3], [-1, 3, -3, 1]]).T  # ranks 1 3 2 4 and 2 4 1 3
    b = np.array([[1, 2, 3, 4]]).T
    r = [abs(np.corrcoef(column, b[:, 0])[0, 1]) for column in ([1, 3, 2, 4], [2, 4, 1, 3])]
    assert udr([a, b]) == pytest.approx([(max(r) ** 2 / sum(r) + sum(r)) / 3] * 2)


# ---------------------------------------------------------------- what is given


def test_factors_are_numbered_from_0():
    assert as_factors(torch.tensor([5, 7, 5])).tolist() == [[0], [1], [0]]
    assert as_factors([[True, 2.0], [False, 4.0]]).tolist() == [[1, 0], [0, 1]]


def test_halves_share_every_value_that_occurs_twice():
    values = np.array([0] * 7 + [1] * 2 + [2] * 2 + [3])
    first, second = halves(values, seed=0)
    assert sorted([*first, *second]) == list(range(12))
    assert {0, 1, 2} <= set(values[first]) & set(values[second])


def test_mistakes_are_told(perfect, factors):
    with pytest.raises(UserError, match="2160 codes but 5 rows"):
        mig(perfect, factors[:5])
    with pytest.raises(UserError, match="at least 1 factors that vary, and here are 0"):
        mig(perfect, np.zeros(len(perfect)))
    with pytest.raises(UserError, match="at least 2 factors that vary, and here are 1"):
        beta_vae_metric(perfect, factors[:, 0])
    with pytest.raises(UserError, match="must be finite"):
        mig(np.full((4, 2), np.nan), [0, 1, 0, 1])
    with pytest.raises(UserError, match="whole numbers"):
        mig(perfect, factors + 0.5)
    with pytest.raises(UserError, match=r"\(N, D\)"):
        mig(perfect[:, 0], factors)
    with pytest.raises(UserError, match=r"\(N,\) or \(N, A\)"):
        mig(perfect, factors[:, None])
    with pytest.raises(UserError, match="at least two"):
        udr([perfect])
    with pytest.raises(UserError, match="the same images"):
        udr([perfect, perfect[:5]])


def test_values_that_occur_once_count_but_cannot_be_held_fixed_or_tested():
    once = np.arange(4)
    assert mig(once[:, None], once) == pytest.approx(1.0)
    assert sap(once[:, None], once, continuous=True) == pytest.approx(1.0)
    assert paired(np.zeros((6, 1)), np.stack([np.arange(6), np.arange(6) // 3], axis=1), times=2)[1].shape == (6, 1)
    with pytest.raises(UserError, match="at least 1 factors that vary, and here are 0"):
        dci(once[:, None], once)
