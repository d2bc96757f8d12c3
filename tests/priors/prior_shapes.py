"""The arguments of a prior of two latents and of one over a few codes, and what priors over codes have in common."""

import torch

from vae_lightning.distributions import VectorQuantizer

SHAPES = {"latent_dim": 2, "latent_shape": 2, "condition_dim": 0, "image_shape": (1, 4, 4), "posterior": None}


def code_shapes(num_codes: int, codebook_size: int, condition_dim: int = 0) -> dict:
    """Return the arguments of a prior over codes of one latent each."""
    quantizer = VectorQuantizer(3, num_codes, code_dim=1, codebook_size=codebook_size, ema=True, decay=0.9).eval()
    return SHAPES | {"latent_dim": num_codes, "condition_dim": condition_dim, "posterior": quantizer}


def all_codes(num_codes: int, codebook_size: int) -> torch.Tensor:
    """Return all sequences of codes, (codebook_size ** num_codes, num_codes)."""
    return torch.cartesian_prod(*[torch.arange(codebook_size)] * num_codes)


@torch.no_grad()
def assert_codes_depend_on_earlier_ones_only(prior) -> None:
    """Check the probabilities of a prior over 4 codes from a codebook of 3."""
    indices = torch.tensor([[0, 1, 2, 0]])
    log_probs = prior.log_probs(indices, None)
    for position in range(4):
        changed = indices.clone()
        changed[0, position] = (indices[0, position] + 1) % 3
        other = prior.log_probs(changed, None)
        torch.testing.assert_close(other[:, : position + 1], log_probs[:, : position + 1])
        assert position == 3 or not torch.equal(other[:, position + 1], log_probs[:, position + 1])


@torch.no_grad()
def assert_samples_occur_with_their_probability(prior) -> None:
    """Check the samples of a prior over 2 codes from a codebook of 3."""
    p = prior(None, None)
    indices = p.sample(60_000, torch.Generator().manual_seed(0))
    frequency = torch.bincount(3 * indices[:, 0] + indices[:, 1], minlength=9) / 60_000
    torch.testing.assert_close(frequency, p.log_prob(all_codes(2, 3)).exp(), atol=0.008, rtol=0)
