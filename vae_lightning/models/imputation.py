"""Imputation of missing pixels: pseudo-Gibbs, Metropolis-within-Gibbs and importance sampling of p(x_mis | x_obs)."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian, IndependentPixels
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError, check_choice
from vae_lightning.models.estimation import check_estimate, map_blocks
from vae_lightning.models.inputs import repeat_rows
from vae_lightning.models.latent_variable_model import LatentVariableModel
from vae_lightning.rng import seeded_by

METHODS = ("gibbs", "metropolis", "importance")


@torch.no_grad()
def impute(
    model: LatentVariableModel,
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
    """Fill in missing pixels, see `LatentVariableModel.impute`."""
    check_choice("impute: method", method, METHODS)
    check_estimate(model, "impute", samples=samples, chunk=chunk)
    check_densities(model, method)
    if not isinstance(mask, Tensor):
        raise UserError(f"impute: mask must be a tensor, got {type(mask).__name__}. Pass torch.as_tensor(mask).")
    try:
        mask = mask.to(x.device, torch.bool).expand_as(x)
    except RuntimeError as error:
        shapes = f"{tuple(x.shape)}, or broadcastable to it, got {tuple(mask.shape)}"
        raise UserError(f"impute: mask must be bool of shape {shapes}.") from error
    x = model.as_images(torch.where(mask, x, 0))
    with seeded_by(generator):
        if method == "importance":
            estimate = partial(importance, model, samples=samples, draw=draw, chunk=chunk)
            filling = map_blocks(estimate, chunk, x, mask, y)
        else:
            filling = gibbs(model, x, mask, y, steps=samples, draw=draw, correct=method == "metropolis")
    return torch.where(mask, x, filling)


def check_densities(model: LatentVariableModel, method: str) -> None:
    """Check that the model has the densities that a method needs.

    Raises:
        UserError: if it does not.
    """
    name = type(model).__name__
    if method != "gibbs" and not model.has_densities:
        raise UserError(f"impute: method={method}: q(z|x) or p(z) of {name} has no density. Use method=gibbs.")
    if method == "metropolis" and model.prior.is_estimated:
        raise UserError(f"impute: method=metropolis: log p(z) of {name} is an estimate. Use method=importance.")


def gibbs(
    model: LatentVariableModel, x: Tensor, mask: Tensor, y: Tensor | None, *, steps: int, draw: bool, correct: bool
) -> Tensor:
    """Alternate z ~ q(z | x_obs, x_mis) and x_mis ~ p(x_mis | z), from x_mis = 0. Rezende et al. 2014, appendix F.

    With `correct`, z is a proposal, accepted or rejected so that the chain converges to p(z, x_mis | x_obs) for any
    q(z|x): Metropolis within Gibbs, Mattei & Frellsen 2018.

    Raises:
        UserError: with `correct`, if q(z|x) is not a `DiagonalGaussian` that depends on x only.

    Returns:
        the last draw of all pixels, or the average of E[x|z] over the second half of the steps.
    """
    filled, total = x, promote_to_float32(torch.zeros_like(x))
    z: Any = None
    px: Any = None
    for step in range(steps):
        qz, pz, proposal = model.infer(filled.clamp(0, 1), y)
        if correct and not (model.posterior.factorizes and isinstance(qz, DiagonalGaussian)):
            name = type(model).__name__
            raise UserError(f"impute: method=metropolis: {name} has no q(z|x) of a given z. Use method=importance.")
        proposed_px = decode(model, proposal, y)
        if z is None or not correct:
            z, px = proposal, proposed_px
        else:
            log_w = px.log_prob(filled) + pz.log_prob(z) - qz.log_prob(z)
            proposed_log_w = proposed_px.log_prob(filled) + pz.log_prob(proposal) - qz.log_prob(proposal)
            is_accepted = torch.rand_like(log_w).log() < proposed_log_w - log_w
            z = torch.where(is_accepted[:, None], proposal, z)
            px = decode(model, z, y)
        filled = torch.where(mask, x, px.sample())  # not clamped, as p(x_mis | z) is not
        if step >= steps // 2:
            total += px.mean
    return filled.clamp(0, 1) if draw else total / (steps - steps // 2)


def importance(
    model: LatentVariableModel, x: Tensor, mask: Tensor, y: Tensor | None, *, samples: int, draw: bool, chunk: int
) -> Tensor:
    """Weight z ~ q(z | x_obs, 0) by w = p(x_obs|z) p(z) / q(z | x_obs, 0). Mattei & Frellsen 2019.

    Returns:
        Σ w̃ E[x|z] with w̃ = w / Σ w, or a draw from p(x|z) for one z, chosen with the probabilities w̃.
    """
    log_sum = best = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
    mean = promote_to_float32(torch.zeros_like(x))
    chosen = mean.new_zeros(len(x), model.latent_dim)
    per_pass = max(1, chunk // max(1, len(x)))
    for done in range(0, samples, per_pass):
        k = min(per_pass, samples - done)
        qz, pz, z = model.infer(x, y, k)
        px = decode(model, z, repeat_rows(y, k))
        log_px = px.log_prob(repeat_rows(x, k), repeat_rows(mask, k))
        log_w = (log_px + pz.log_prob(z) - qz.log_prob(z)).double().unflatten(0, (k, -1))
        if draw:  # the largest log w + Gumbel noise: draws a z with the probabilities w̃, in any number of passes
            score, index = (log_w - torch.empty_like(log_w).exponential_().log()).max(0)
            best_of_pass = z.unflatten(0, (k, -1))[index, torch.arange(len(x), device=x.device)]
            chosen = torch.where((score > best)[:, None], best_of_pass, chosen)
            best = torch.maximum(score, best)
        else:
            previous, log_sum = log_sum, torch.logaddexp(log_sum, log_w.logsumexp(0))
            weights = torch.cat([(previous - log_sum)[None], log_w - log_sum]).exp().to(mean)
            means = torch.cat([mean[None], px.mean.unflatten(0, (k, -1))])
            mean = torch.einsum("kb,kbchw->bchw", weights, means)
    return decode(model, chosen, y).sample().clamp(0, 1) if draw else mean


def decode(model: LatentVariableModel, z: Tensor, y: Tensor | None) -> Any:
    """Decode latents to p(x|z), if its pixels are independent.

    Raises:
        UserError: if they are not.
    """
    px = model.decode(z, y)
    if not isinstance(px, IndependentPixels):
        raise UserError(
            f"impute: the pixels of {type(px).__name__} are not independent given z, so none of them can be missing."
            " Use a model with another likelihood, such as model/likelihood=gaussian."
        )
    return px
