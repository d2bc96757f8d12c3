"""Missing pixels: pseudo-Gibbs sampling and importance sampling of p(x_mis | x_obs)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from vae_lightning.distributions import IndependentPixels
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError, check_choice
from vae_lightning.rng import seeded_by

if TYPE_CHECKING:
    from vae_lightning.models.base import ELBOModule


@torch.no_grad()
def impute(
    model: ELBOModule,
    x: Tensor,
    mask: Tensor,
    y: Tensor | None,
    *,
    method: str,
    samples: int,
    draw: bool,
    chunk: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Fill in missing pixels, see `ELBOModule.impute`."""
    check_choice("impute: method", method, ("gibbs", "importance"))
    for name, value in {"samples": samples, "chunk": chunk}.items():
        if value < 1:
            raise UserError(f"impute: {name}={value}: must be an integer >= 1.")
    if model.training:
        raise UserError("impute: the model is in training mode, in which it would go on learning. Call model.eval().")
    try:
        mask = mask.to(x.device, torch.bool).expand_as(x)
    except RuntimeError as error:
        raise UserError(
            f"impute: mask must be bool of shape {tuple(x.shape)}, or broadcastable to it, got {tuple(mask.shape)}."
        ) from error
    x = model.as_images(torch.where(mask, x, 0))
    with seeded_by(generator):
        filling = (
            gibbs(model, x, mask, y, steps=samples, draw=draw)
            if method == "gibbs"
            else importance(model, x, mask, y, samples=samples, draw=draw, chunk=chunk)
        )
    return torch.where(mask, x, filling)


def gibbs(model: ELBOModule, x: Tensor, mask: Tensor, y: Tensor | None, *, steps: int, draw: bool) -> Tensor:
    """Alternate z ~ q(z | x_obs, x_mis) and x_mis ~ p(x_mis | z), from x_mis = 0. Rezende et al. 2014, appendix F.

    Returns:
        the last draw of all pixels, or the average of E[x|z] over the second half of the steps.
    """
    filled, total = x, promote_to_float32(torch.zeros_like(x))
    for step in range(steps):
        px = independent_pixels(model(filled, y).px)
        filled = torch.where(mask, x, px.sample()[: len(x)].clamp(0, 1))  # IWAE repeats the batch
        if step >= steps // 2:
            total += px.mean[: len(x)]
    return filled if draw else total / (steps - steps // 2)


def importance(
    model: ELBOModule, x: Tensor, mask: Tensor, y: Tensor | None, *, samples: int, draw: bool, chunk: int
) -> Tensor:
    """Weight z ~ q(z | x_obs, 0) by p(x_obs|z) p(z) / q(z | x_obs, 0). Mattei & Frellsen 2019.

    Returns:
        Σ w̃ E[x|z] with w̃ = w / Σ w, or a draw from p(x|z) for one z, chosen with the probabilities w̃.
    """
    log_sum = best = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
    mean = promote_to_float32(torch.zeros_like(x))
    chosen = mean.new_zeros(len(x), model.latent_dim)
    done = 0
    while done < samples:
        n = min(samples - done, max(1, chunk // len(x)))
        out = model(x.repeat(n, 1, 1, 1), None if y is None else y.repeat(n, *[1] * (y.dim() - 1)))
        px = independent_pixels(out.px)
        if not (model.prior.has_density and hasattr(out.qz, "log_prob")):
            raise UserError(
                f"impute: method=importance: q(z|x) or p(z) of {type(model).__name__} has no density. Use method=gibbs."
            )
        k = len(out.z) // len(x)  # n, or more for IWAE, whose batches are repeated too
        log_px = px.log_prob(out.x, mask.repeat(k, 1, 1, 1))
        log_w = (log_px + out.pz.log_prob(out.z) - out.qz.log_prob(out.z)).double().unflatten(0, (k, -1))
        if draw:  # the largest log w + Gumbel noise: draws a z with the probabilities w̃, in any number of passes
            score, index = (log_w - torch.empty_like(log_w).exponential_().log()).max(0)
            z = out.z.unflatten(0, (k, -1))[index, torch.arange(len(x), device=x.device)]
            chosen, best = torch.where((score > best)[:, None], z, chosen), torch.maximum(score, best)
        else:
            previous, log_sum = log_sum, torch.logaddexp(log_sum, log_w.logsumexp(0))
            weights = torch.cat([(previous - log_sum)[None], log_w - log_sum]).exp().to(mean)
            means = torch.cat([mean[None], px.mean.unflatten(0, (k, -1))])
            mean = torch.einsum("kb,kbchw->bchw", weights, means)
        done += k
    return independent_pixels(model.decode(chosen, y)).sample().clamp(0, 1) if draw else mean


def independent_pixels(px: Any) -> Any:
    """Return p(x|z), if its pixels are independent.

    Raises:
        UserError: if they are not.
    """
    if not isinstance(px, IndependentPixels):
        raise UserError(
            f"impute: the pixels of {type(px).__name__} are not independent given z, so none of them can be missing."
            " Train a model with another likelihood, such as model/likelihood=gaussian."
        )
    return px
