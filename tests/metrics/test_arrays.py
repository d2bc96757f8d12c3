"""Conversion and validation of codes and factors."""

from functools import partial

import numpy as np
import pytest
import torch

from vae_lightning import metrics
from vae_lightning.errors import UserError
from vae_lightning.metrics import beta_vae_metric, dci, info_mec, mig, sap
from vae_lightning.metrics.arrays import as_codes_and_factors, as_factors, split_halves

assert_equal = partial(torch.testing.assert_close, rtol=0, atol=0)
RNG = np.random.default_rng(0)
V = RNG.integers(0, 3, (60, 2)).astype(np.float32)  # factors
Z, W = RNG.integers(-8, 8, (2, 60, 2)).astype(np.float32) / 4 + V  # exact in bfloat16
X = RNG.integers(0, 5, (6, 1, 8, 8)).astype(np.float32) / 4  # images
# metric of arrays -> its arguments
OF_CODES = {
    "accuracy_with_few_labels": (Z, V, Z, V),
    "auroc": (Z[:, 0], W[:, 0]),
    "beta_vae_metric": (Z, V),
    "boosted_trees": (Z, V, Z, V),
    "clustering_accuracy": (V[:, 0], V[:, 1]),
    "clustering_nmi": (V[:, 0], V[:, 1]),
    "dci": (Z, V),
    "explicitness": (Z, V),
    "factor_vae_metric": (Z, V),
    "gaussian_total_correlation": (Z,),
    "gaussian_wasserstein_correlation": (Z,),
    "info_mec": (Z, V),
    "irs": (Z, V),
    "knn_accuracy": (Z, V, Z, V),
    "linear_probe": (Z, V, Z, V),
    "majority": (V, V),
    "mig": (Z, V),
    "mig_per_factor": (Z, V),
    "mig_sup": (Z, V),
    "modularity": (Z, V),
    "mutual_information_score": (Z,),
    "probabilistic_mig": (Z, W, V),
    "sap": (Z, V),
    "udr": ((Z, W),),
}
OF_TENSORS = {
    "active_units": (Z,),
    "block_errors": (Z,),
    "classifier_score": (Z,),
    "fid": (Z, W),
    "image_quality": (X, 1 - X),
    "information": (Z, 0 * Z, Z),
    "jackknife_errors": (Z,),
    "kid": (Z, W),
    "mean_and_error": (Z[:, 0],),
    "mmd_test": (Z, W),
    "png_bits": (X,),
    "precision_recall_density_coverage": (Z, W),
}
NOT_OF_ARRAYS = {"bits_per_dim", "log_likelihood", "over_repeats"}  # of numbers or functions
FUNCTIONS = {  # first argument
    "accuracy_with_few_labels": metrics.linear_probe,
    "block_errors": lambda x: x.mean(0).tolist(),
    "jackknife_errors": lambda x: x.mean(0).tolist(),
}
OPTIONS = {
    "accuracy_with_few_labels": {"n": 30},
    "boosted_trees": {"stages": 3},
    "dci": {"trees": 3},
    "beta_vae_metric": {"train": 50, "test": 50},
    "factor_vae_metric": {"train": 50, "test": 50},
}
WITH_FACTORS = [name for name, arguments in OF_CODES.items() if len(arguments) == 2 and arguments[0] is Z]


def compute(name, convert):
    """Compute a metric whose arguments are converted."""
    arguments = [[*map(convert, a)] if isinstance(a, tuple) else convert(a) for a in {**OF_CODES, **OF_TENSORS}[name]]
    first = [FUNCTIONS[name]] if name in FUNCTIONS else []
    return getattr(metrics, name)(*first, *arguments, **OPTIONS.get(name, {}))


def test_every_public_metric_is_compared_below():
    functions = {name for name in metrics.__all__ if not isinstance(getattr(metrics, name), type)}
    assert {*OF_CODES, *OF_TENSORS} == functions - NOT_OF_ARRAYS


@pytest.mark.parametrize("name", [*OF_CODES, *OF_TENSORS])
def test_metrics_of_numpy_arrays_equal_those_of_tensors(name):
    assert_equal(compute(name, np.asarray), compute(name, torch.from_numpy))


@pytest.mark.parametrize("name", OF_CODES)
def test_metrics_of_bfloat16_equal_those_of_the_same_numbers(name):
    assert_equal(compute(name, lambda x: torch.from_numpy(x).bfloat16()), compute(name, np.asarray))


def test_as_factors_numbers_values_from_0():
    assert as_factors(torch.tensor([5, 7, 5])).tolist() == [[0], [1], [0]]
    assert as_factors([[True, 2.0], [False, 4.0]]).tolist() == [[1, 0], [0, 1]]


def test_split_halves_puts_every_value_that_occurs_twice_in_both():
    values = np.array([0] * 7 + [1] * 2 + [2] * 2 + [3])
    first, second = split_halves(values, seed=0)
    assert sorted([*first, *second]) == list(range(12))
    assert {0, 1, 2} <= set(values[first]) & set(values[second])


def test_invalid_codes_and_factors_raise(perfect, factors):
    with pytest.raises(UserError, match="2160 codes but 5 rows"):
        mig(perfect, factors[:5])
    with pytest.raises(UserError, match="at least 1 that vary, got 0"):
        mig(perfect, np.zeros(len(perfect)))
    with pytest.raises(UserError, match="at least 2 that vary, got 1"):
        beta_vae_metric(perfect, factors[:, 0])
    with pytest.raises(UserError, match="must be finite"):
        mig(np.full((4, 2), np.nan), [0, 1, 0, 1])
    with pytest.raises(UserError, match="must be integers"):
        mig(perfect, factors + 0.5)
    with pytest.raises(UserError, match=r"codes: must have shape \(N, D\)"):
        mig(perfect[:, 0], factors)
    with pytest.raises(UserError, match=r"factors: must have shape \(N,\) or \(N, A\)"):
        mig(perfect, factors[:, None])


def test_values_that_occur_once_are_ignored_only_where_they_must_be_repeated():
    once = np.arange(4)
    assert mig(once[:, None], once) == pytest.approx(1.0)
    assert sap(once[:, None], once, continuous=True) == pytest.approx(1.0)
    factors = np.stack([np.arange(6), np.arange(6) // 3], axis=1)
    assert as_codes_and_factors(np.zeros((6, 1)), factors, min_count=2)[1].shape == (6, 1)
    with pytest.raises(UserError, match="at least 1 that vary, got 0"):
        dci(once[:, None], once)


@pytest.mark.parametrize("name", WITH_FACTORS)
@pytest.mark.parametrize(
    ("codes", "factors", "message"),
    [
        (Z[:, :0], V, r"codes: must have shape \(N, D\), .* got \(60, 0\)"),
        (Z[:0], V[:0], r"codes: must have shape \(N, D\), .* got \(0, 2\)"),
        (Z, V[:0], r"factors: must have shape .* got \(0, 2\)"),
        (Z, np.array([["a", "b"]] * 60), "factors: must be numbers .*'a'"),
        (Z, np.full((60, 2), np.nan), "factors: must be finite"),
        ([["a"]], V, "codes: must be numbers"),
    ],
    ids=["no latents", "no images", "no factors", "text", "NaN", "codes of text"],
)
def test_unusable_codes_and_factors_are_reported(name, codes, factors, message):
    with pytest.raises(UserError, match=message):
        getattr(metrics, name)(codes, factors)


@pytest.mark.parametrize("metric", [dci, sap, metrics.explicitness])
def test_a_value_of_a_single_image_is_said_to_be_too_few(metric):
    once = np.arange(60) == 0
    with pytest.raises(UserError, match=r"at least 1 that vary, got 0.* at least 2 images each"):
        metric(Z, once)


def test_info_mec_of_unique_values_is_reported():
    unique = np.arange(60)
    with pytest.raises(UserError, match=r"at least 2 that vary, got 1.* at least 2 images each"):
        info_mec(Z, np.stack([V[:, 0], unique], axis=1))
