"""AUROC by hand, against scikit-learn and by repetition, and sizes of PNG files."""

import math
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from vae_lightning.errors import UserError
from vae_lightning.metrics import auroc, png_bits


@pytest.mark.parametrize(
    ("normal", "anomalous", "value"),
    [
        ([1, 2, 3], [4, 5], 1),
        ([4, 5], [1, 2, 3], 0),
        ([1, 2], [1, 2], 0.5),
        ([0, 0], [0], 0.5),
        ([1, 2, 3], [2, 4], 0.75),  # of six pairs, four are won and one is a tie
        ([-math.inf, 0], [0, math.inf], 0.875),
    ],
)
def test_auroc_is_the_fraction_of_pairs_won(normal, anomalous, value):
    assert auroc(normal, anomalous).value == value


def test_error_is_that_of_delong_worked_out_by_hand():
    """Of the anomalies 2 and 4, the fractions of normal scores below are 1/2 and 1; above 1, 2, 3: 1, 3/4, 1/2."""
    variance = np.var([0.5, 1], ddof=1) / 2 + np.var([1, 0.75, 0.5], ddof=1) / 3
    assert auroc([1, 2, 3], [2, 4]).error == pytest.approx(math.sqrt(variance))
    assert auroc([1, 2, 3], [4, 5]).error == 0
    assert math.isnan(auroc([1, 2, 3], [2]).error)


def test_value_equals_scikit_learn_and_error_the_spread_over_repetitions():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        a, b = rng.normal(size=60).round(1), rng.normal(0.7, 1.5, size=40).round(1)  # with ties
        found.append(auroc(a, torch.from_numpy(b)))
    assert found[-1].value == pytest.approx(roc_auc_score([0] * 60 + [1] * 40, np.concatenate([a, b])))
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.12)


def test_auroc_rejects_nan_and_no_scores():
    for normal, anomalous in (([], [1]), ([1], []), ([1, math.nan], [1])):
        with pytest.raises(UserError, match="at least one score on each side"):
            auroc(normal, anomalous)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_png_bits_are_those_of_a_file_that_can_be_read_again(channels):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (1, channels, 16, 20), generator=generator, dtype=torch.uint8)
    x = torch.cat([noise, torch.full_like(noise, 7)])
    bits = png_bits(x)
    assert bits[0] > 8 * noise.numel()  # noise cannot be compressed
    assert bits[1] < 8 * 100
    pixels = noise[0].permute(1, 2, 0).numpy() if channels == 3 else noise[0].flatten(0, 1).numpy()
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    assert bits[0] == 8 * len(file.getvalue())
    assert np.array_equal(np.asarray(Image.open(file)), pixels)
