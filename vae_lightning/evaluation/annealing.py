"""Bounds on the likelihood of a model by annealed importance sampling."""

import math

import torch
from torch import Tensor

from vae_lightning.distributions import Quantizer
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.results import Results, mean_result, unavailable
from vae_lightning.metrics import mean_and_error
from vae_lightning.metrics.annealing import Annealing
from vae_lightning.models import VDVAE
from vae_lightning.models.hierarchical import Hierarchical
from vae_lightning.models.inputs import repeat_rows
from vae_lightning.rng import generator_for, seeded_by

NAMES = ("ais_log_px", "ais_gap")
CHAINS_PER_PASS = 500  # fixed, since step sizes are tuned to the chains of a pass


def annealed_bounds(context: EvaluationContext) -> Results:
    """Bound log p(x) from below, and measure the gap to an upper bound on images drawn from the model.

    The gap is the mean, over simulated images, of the difference between both bounds. If the model's own images are
    like real ones, it also bounds the error of `ais_log_px` (Wu et al. 2017, section 3.2).
    """
    model, settings = context.model, context.settings
    reason = why_unavailable(context)
    if reason:
        return unavailable(NAMES, reason)
    n = min(settings.ais_images, len(context.x))
    lower = lower_bounds(context, n)
    note = f"nats; {settings.ais_chains} chains of {settings.ais:,} steps, {n:,} images; lower bound on log p(x)"
    results = {"ais_log_px": mean_result(mean_and_error(lower), note)}
    if not has_samples(context):
        return results | unavailable(("ais_gap",), f"{type(model.likelihood).__name__} has no samples")
    gaps = simulated_gaps(context, n)
    note = f"nats; upper minus lower bound of {n:,} images drawn from the model"
    return results | {"ais_gap": mean_result(mean_and_error(gaps), note)}


def why_unavailable(context: EvaluationContext) -> str | None:
    """Return why there are no chains in the latent space of the model, if so."""
    model = context.model
    if isinstance(model, Hierarchical | VDVAE):
        return f"the prior of {context.name} depends on its own draws"
    if isinstance(model.posterior, Quantizer) or not model.prior.has_density:
        return f"p(z) of {context.name} has no density"
    if model.prior.is_estimated or model.prior.is_bound:
        return f"log p(z) of {context.name} is an estimate, which would bias the chains"
    if model.prior.support != "vectors":
        return f"chains move freely, but p(z) is a distribution of {model.prior.support}"
    return None


@torch.no_grad()
def has_samples(context: EvaluationContext) -> bool:
    """Return whether images can be drawn from p(x|z), and not only their mean."""
    z = context.sample_prior(1).to(context.device)
    return hasattr(context.model.decode(z, context.labels(slice(1))), "sample")


def lower_bounds(context: EvaluationContext, n: int) -> Tensor:
    """Return the lower bound of each of the first n images, float64 (n,)."""
    passes = torch.arange(n).split(images_per_pass(context))

    def bound(i: int) -> Tensor:
        x, y = context.rows(passes[i])
        annealing, z = build_annealing(context, x, y, generator_for(context.settings.seed, 0, i))
        return log_mean(annealing.forward_log_weights(z), len(x))

    description = f"log p(x), {context.settings.ais:,} steps of annealing"
    return context.collect(description, n)(range(len(passes)), bound)


def simulated_gaps(context: EvaluationContext, n: int) -> Tensor:
    """Return the upper minus the lower bound of n images drawn from the model, float64 (n,)."""
    passes = torch.arange(n).split(images_per_pass(context))

    def gap(i: int) -> Tensor:
        y = context.labels(passes[i])
        generator = generator_for(context.settings.seed, 1, i)
        with torch.no_grad(), seeded_by(generator):
            true_z = context.model.sample_prior(len(passes[i]), y, generator)
            x = context.model.decode(true_z, y).sample()
        annealing, z = build_annealing(context, x, y, generator)
        lower = log_mean(annealing.forward_log_weights(z), len(x))
        upper = -log_mean(-annealing.reverse_log_weights(repeat_rows(true_z, context.settings.ais_chains)), len(x))
        return upper - lower

    return context.collect("gap of the bounds, on simulated images", n)(range(len(passes)), gap)


def build_annealing(
    context: EvaluationContext, x: Tensor, y: Tensor | None, generator: torch.Generator
) -> tuple[Annealing, Tensor]:
    """Return chains for some images, with tuned step sizes, and their starting points, (chains · images, D)."""
    model, chains = context.model, context.settings.ais_chains
    x, y = repeat_rows(x, chains), repeat_rows(y, chains)
    pz = model.prior(model.encode, model.condition(y))

    def log_likelihood(z: Tensor) -> Tensor:
        return model.decode(z, y).log_prob(x)

    annealing = Annealing(pz.log_prob, log_likelihood, steps=context.settings.ais, generator=generator)
    pilot, start = (model.sample_prior(len(x), y, generator).detach() for _ in range(2))
    annealing.tune(pilot)
    return annealing, start


def images_per_pass(context: EvaluationContext) -> int:
    """Return how many images have all of their chains in one pass."""
    return max(1, CHAINS_PER_PASS // context.settings.ais_chains)


def log_mean(log_w: Tensor, n: int) -> Tensor:
    """Return the log of the mean of w over the chains of each of n images, (n,)."""
    chains = log_w.view(-1, n)
    return (torch.logsumexp(chains, dim=0) - math.log(len(chains))).cpu()
