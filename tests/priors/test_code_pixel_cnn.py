"""Tests of the PixelCNN over codes: it sums to one, is causal, and draws from what it computes in one pass."""

import pytest
import torch
from prior_shapes import (
    SHAPES,
    all_codes,
    assert_codes_depend_on_earlier_ones_only,
    assert_samples_occur_with_their_probability,
    code_shapes,
)

from vae_lightning.errors import UserError
from vae_lightning.priors import CodePixelCNN
from vae_lightning.priors.code_prior import invert

SMALL = {"width": 8, "layers": 2}


def pixel_cnn(height=2, width=2, codebook_size=3, condition_dim=0, **options):
    """Return a small PixelCNN with random weights, in eval mode."""
    torch.manual_seed(0)
    shapes = code_shapes(height * width, codebook_size, condition_dim) | {"latent_shape": (1, height, width)}
    prior = CodePixelCNN(**shapes, **SMALL, **options).eval()
    for parameter in prior.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return prior


@torch.no_grad()
@pytest.mark.parametrize("condition", [None, torch.eye(2)[[1]]])
def test_probabilities_of_all_maps_sum_to_one(condition):
    prior = pixel_cnn(condition_dim=0 if condition is None else 2)
    y = None if condition is None else condition.expand(81, -1)
    p = prior(None, y).log_prob(all_codes(4, 3)).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-5)
    assert p.max() > 3 * p.mean()


def test_a_code_depends_on_earlier_ones_only():
    assert_codes_depend_on_earlier_ones_only(pixel_cnn())


@torch.no_grad()
@pytest.mark.parametrize("guidance", [0.0, 1.0, 2.5])
def test_samples_invert_the_distribution_of_one_pass(guidance):
    """Code by code, on a map that is larger than what a code sees."""
    prior = pixel_cnn(5, 6, condition_dim=2, guidance=guidance)
    y = torch.eye(2)
    u = torch.rand(2, 30, generator=torch.Generator().manual_seed(0))
    indices = prior.sample_by_inversion(u, y)
    without, present = prior.log_probs(indices, None), prior.log_probs(indices, y)
    logits = without + guidance * (present - without)
    expected = torch.stack([invert(logits[:, p], u[:, p]) for p in range(30)], dim=1)
    assert torch.equal(indices, expected)
    assert len(indices.unique()) == 3


def test_samples_occur_with_their_probability():
    assert_samples_occur_with_their_probability(pixel_cnn(1, 2))


def test_latents_that_are_no_map_of_single_codes_raise():
    with pytest.raises(UserError, match=r"code_pixel_cnn: the latents are not codes"):
        CodePixelCNN(**SHAPES)
    message = r"code_pixel_cnn: requires a map with one code at each position. Use model/prior=code_transformer"
    for latent_shape in (4, (1, 1, 2)):
        with pytest.raises(UserError, match=message):
            CodePixelCNN(**code_shapes(4, 3) | {"latent_shape": latent_shape})
