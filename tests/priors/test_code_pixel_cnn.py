"""Tests of the PixelCNN over codes: it sums to one, is causal, and draws from what it computes in one pass."""

import pytest
import torch
from prior_shapes import SHAPES, code_shapes

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


def all_maps(num_codes: int, codebook_size: int) -> torch.Tensor:
    return torch.cartesian_prod(*[torch.arange(codebook_size)] * num_codes)


@torch.no_grad()
@pytest.mark.parametrize("condition", [None, torch.eye(2)[[1]]])
def test_probabilities_of_all_maps_sum_to_one(condition):
    prior = pixel_cnn(condition_dim=0 if condition is None else 2)
    y = None if condition is None else condition.expand(81, -1)
    p = prior(None, y).log_prob(all_maps(4, 3)).exp()
    assert p.sum().item() == pytest.approx(1, abs=1e-5)
    assert p.max() > 3 * p.mean()


@torch.no_grad()
def test_a_code_depends_on_earlier_ones_only():
    prior = pixel_cnn()
    indices = torch.tensor([[0, 1, 2, 0]])
    log_probs = prior.log_probs(indices, None)
    for position in range(4):
        changed = indices.clone()
        changed[0, position] = (indices[0, position] + 1) % 3
        other = prior.log_probs(changed, None)
        torch.testing.assert_close(other[:, : position + 1], log_probs[:, : position + 1])
        assert position == 3 or not torch.equal(other[:, position + 1], log_probs[:, position + 1])


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


@torch.no_grad()
def test_samples_occur_with_their_probability():
    prior = pixel_cnn(1, 2)
    p = prior(None, None)
    indices = p.sample(60_000, torch.Generator().manual_seed(0))
    frequency = torch.bincount(3 * indices[:, 0] + indices[:, 1], minlength=9) / 60_000
    torch.testing.assert_close(frequency, p.log_prob(all_maps(2, 3)).exp(), atol=0.008, rtol=0)


def test_latents_that_are_no_map_of_single_codes_raise():
    with pytest.raises(UserError, match=r"code_pixel_cnn: the latents are not codes"):
        CodePixelCNN(**SHAPES)
    message = r"code_pixel_cnn: requires a map with one code at each position. Use model/prior=code_transformer"
    for latent_shape in (4, (1, 1, 2)):
        with pytest.raises(UserError, match=message):
            CodePixelCNN(**code_shapes(4, 3) | {"latent_shape": latent_shape})
