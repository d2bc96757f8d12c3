"""log p(x) of images, estimated by importance sampling."""

import math

import torch
from torch import Tensor

from vae_lightning.errors import UserError
from vae_lightning.models.estimation import check_estimate, map_blocks
from vae_lightning.models.inputs import repeat_rows
from vae_lightning.models.latent_variable_model import LatentVariableModel
from vae_lightning.rng import seeded_by


@torch.no_grad()
def log_px(
    model: LatentVariableModel,
    x: Tensor,
    y: Tensor | None,
    *,
    samples: int,
    chunk: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Estimate log p(x), see `LatentVariableModel.log_px`."""
    check_estimate(model, "log_px", samples=samples, chunk=chunk)
    if not model.has_densities:
        raise UserError(f"log_px: q(z|x) or p(z) of {type(model).__name__} has no density. Use another model.")
    if y is not None and len(y) != len(x):
        raise UserError(f"log_px: y has {len(y)} labels for {len(x)} images. Pass one each.")
    x = model.as_images(x)

    def estimate(x: Tensor, y: Tensor | None) -> Tensor:
        log_sum = x.new_full((len(x),), -torch.inf, dtype=torch.float64)
        per_pass = max(1, chunk // max(1, len(x)))
        for done in range(0, samples, per_pass):
            log_px_given_z, log_ratio = importance_log_terms(model, x, y, min(per_pass, samples - done))
            log_sum = torch.logaddexp(log_sum, (log_px_given_z + log_ratio).double().logsumexp(0))
        return log_sum - math.log(samples)

    with seeded_by(generator):
        return map_blocks(estimate, chunk, x, y)


def importance_log_terms(
    model: LatentVariableModel, x: Tensor, y: Tensor | None, k: int, noise: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return log p(x|z) and log p(z) - log q(z|x) of k draws of z per image, (k, B) each.

    Args:
        model: with densities of q(z|x) and p(z).
        x: images, (B, C, H, W).
        y: their labels.
        k: number of draws.
        noise: standard normal, (k·B, noise_dim); None to draw it.
    """
    qz, pz, z = model.infer(x, y, k, noise)
    log_px_given_z = model.decode(z, repeat_rows(y, k)).log_prob(repeat_rows(x, k))
    log_ratio = pz.log_prob(z) - qz.log_prob(z)
    return log_px_given_z.view(k, -1), log_ratio.view(k, -1)
