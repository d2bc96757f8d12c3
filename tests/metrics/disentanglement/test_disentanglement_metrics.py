"""Properties that all metrics of codes and factors share."""

from functools import partial

import numpy as np
import pytest
import torch

from vae_lightning.metrics import (
    beta_vae_metric,
    dci,
    explicitness,
    factor_vae_metric,
    info_mec,
    irs,
    mig,
    mig_sup,
    modularity,
    sap,
)

boosted = partial(dci, boosted=True, trees=10)
POINTS = {"train": 1000, "test": 1000}
PERFECT_SAP = 1 - np.mean([1 / 3, 1 / 4, 1 / 6])  # a perfect latent minus chance

# metric; value of the perfect code; whether a rotated code scores lower; value of noise: each value with a tolerance
METRICS = {
    "mig": (mig, (1.0, 0.001), True, (0.0, 0.01)),
    "dci_disentanglement": (lambda z, y: dci(z, y, trees=10).disentanglement, (1.0, 0.001), True, (0.0, 0.05)),
    "dci_completeness": (lambda z, y: dci(z, y, trees=10).completeness, (1.0, 0.001), True, (0.0, 0.05)),
    "dci_informativeness": (lambda z, y: dci(z, y, trees=10).informativeness, (1.0, 0.001), False, (0.25, 0.05)),
    "dci_disentanglement_gbt": (lambda z, y: boosted(z, y).disentanglement, (1.0, 0.001), True, None),
    "dci_completeness_gbt": (lambda z, y: boosted(z, y).completeness, (1.0, 0.001), True, None),
    "dci_informativeness_gbt": (lambda z, y: boosted(z, y).informativeness, (1.0, 0.001), False, (0.25, 0.05)),
    "sap": (sap, (PERFECT_SAP, 0.03), True, (0.0, 0.05)),
    "sap_continuous": (partial(sap, continuous=True), (1.0, 1e-9), True, (0.0, 0.01)),
    "sap_svm": (partial(sap, svm=True), (0.53, 0.02), True, (0.0, 0.05)),
    "beta_vae": (partial(beta_vae_metric, **POINTS), (1.0, 0.001), False, (1 / 3, 0.05)),
    "beta_vae_not_standardized": (
        partial(beta_vae_metric, standardize=False, **POINTS),
        (1.0, 0.001),
        False,
        (1 / 3, 0.05),
    ),
    "factor_vae": (partial(factor_vae_metric, **POINTS), (1.0, 0.001), True, (0.37, 0.05)),
    "mig_sup": (mig_sup, (1.0, 0.001), True, (0.0, 0.01)),
    "irs": (irs, (1.0, 0.001), True, None),
    "info_modularity": (lambda z, y: info_mec(z, y).modularity, (1.0, 0.1), True, None),
    "info_compactness": (lambda z, y: info_mec(z, y).compactness, (1.0, 0.1), True, None),
    "info_explicitness": (lambda z, y: info_mec(z, y).explicitness, (1.0, 0.05), False, (0.0, 0.01)),
    "modularity": (modularity, (1.0, 0.001), True, None),
    "explicitness": (explicitness, (1.0, 0.001), False, (0.5, 0.02)),
}


@pytest.mark.parametrize("name", METRICS)
def test_metric_of_perfect_rotated_and_noise_code(name, factors, perfect, rotated, noise):
    metric, best, decreases, worst = METRICS[name]
    value = metric(perfect, factors)
    assert value == pytest.approx(best[0], abs=best[1])
    if decreases:
        assert metric(rotated, factors) < value - 0.02
    if worst:
        assert metric(noise, factors) == pytest.approx(worst[0], abs=worst[1])


@pytest.mark.parametrize("name", METRICS)
def test_metric_does_not_depend_on_order_of_latents(name, factors, perfect, rotated):
    metric = METRICS[name][0]
    code = perfect + 0.5 * rotated
    assert metric(code[:, [2, 0, 1]], factors) == pytest.approx(metric(code, factors), abs=0.03)


@pytest.mark.parametrize("name", METRICS)
def test_metric_does_not_depend_on_sign_or_constant_latents(name, factors, perfect):
    metric = METRICS[name][0]
    code = np.concatenate([np.zeros((len(perfect), 2)), -perfect], axis=1)
    assert metric(code, factors) == pytest.approx(metric(perfect, factors), abs=0.03)


@pytest.mark.parametrize("name", METRICS)
def test_metric_accepts_tensors_and_binary_attributes_and_ignores_constant_factors(name, factors, perfect):
    metric = METRICS[name][0]
    attributes = np.stack([factors[:, 0] == 0, factors[:, 1] > 1, np.ones(len(factors))], axis=1).astype(np.int64)
    value = metric(torch.from_numpy(perfect).float().requires_grad_(), torch.from_numpy(attributes))
    assert value == pytest.approx(metric(perfect, attributes[:, :2]), abs=1e-6)
    assert 0 < value <= 1


@pytest.mark.parametrize("name", METRICS)
def test_metric_is_deterministic_given_the_seed(name, factors, rotated):
    metric = METRICS[name][0]
    assert metric(rotated, factors) == metric(rotated, factors)


def test_constant_latents_do_not_count_for_modularity():
    """Their mutual information with these factors is rounded to a number above 0."""
    generator = np.random.default_rng(1)
    factors = np.stack([generator.integers(0, n, 700) for n in (3, 7, 4)], axis=1)
    entangled = factors.sum(1, keepdims=True).astype(float)
    constant = np.zeros((700, 5))
    assert modularity(constant, factors) == 0
    assert modularity(np.hstack([entangled, constant]), factors) == modularity(entangled, factors)
