"""Likelihood of the images of a run."""

import torch
from torch import Tensor

from vae_lightning.distributions import Bernoulli
from vae_lightning.evaluation.annealing import annealed_bounds
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.results import Result, Results, mean_result, unavailable
from vae_lightning.metrics import LikelihoodEstimate, bits_per_dim, log_likelihood, mean_and_error
from vae_lightning.regularizers import kl
from vae_lightning.rng import isolated_rng


def likelihood(context: EvaluationContext) -> Results:
    """Compute the terms of the ELBO and estimate log p(x), with the random numbers of the seed in the settings."""
    with isolated_rng(context.settings.seed):
        return likelihood_terms(context) | (annealed_bounds(context) if context.settings.ais else {})


def likelihood_terms(context: EvaluationContext) -> Results:
    """Estimate log p(x) by importance sampling, and the ELBO with its terms.

    If q(z|x) or p(z) has no density, only the terms are computed.
    """
    settings = context.settings
    n = min(settings.likelihood_images, len(context.x))
    if not context.model.has_densities:
        return single_pass_terms(context, n)
    estimate = importance_estimate(context, n, settings.samples)
    note = f"nats; K = {settings.samples:,}, {n:,} images"
    if is_cross_entropy(context):
        note += "; for pixels between 0 and 1 not a likelihood, but the cross-entropy that papers report"
    results = {
        "log_px": mean_result(mean_and_error(estimate.log_px), note),
        "nelbo": bound_result(estimate.distortion + estimate.rate),
        "distortion": term_result(estimate.distortion),
        "rate": term_result(estimate.rate),
    }
    return results | bits_result(context, estimate.log_px)


def is_cross_entropy(context: EvaluationContext) -> bool:
    """Return whether log p(x|z) is not a likelihood, but the cross-entropy of pixels between 0 and 1."""
    likelihood = context.model.likelihood
    return isinstance(getattr(likelihood, "pixels", likelihood), Bernoulli) and not context.is_binary


def importance_estimate(context: EvaluationContext, n: int, samples: int) -> LikelihoodEstimate:
    """Estimate log p(x) of the first n images, with some number of draws per image."""
    settings = context.settings
    return log_likelihood(
        context.importance_log_terms,
        n,
        context.model.noise_dim,
        samples=samples,
        chunk=settings.chunk,
        seed=settings.seed,
        collect=context.collect(f"log p(x), K = {samples:,}", n),
    )


@torch.no_grad()
def single_pass_terms(context: EvaluationContext, n: int) -> Results:
    """Compute the distortion, and the rate and the bound if the model has them, with one draw of z per image."""
    model = context.model
    distortions, rates = [], []
    for x, y in context.batches(context.images.rows(slice(n))):
        out = model(x, y)
        distortions.append(-out.px.log_prob(out.x))
        if model.has_rate:
            rates.append(kl(out))
    distortion = torch.cat(distortions)
    missing = "p(z)" if model.prior.is_bound or not model.prior.has_density else "q(z|x)"
    reason = f"{missing} of {context.name} has {'only a bound on its' if model.prior.is_bound else 'no'} density"
    results = unavailable(("log_px", "bits_per_dim"), reason)
    results["distortion"] = term_result(distortion)
    if not rates:
        return results | unavailable(("nelbo", "rate"), f"{context.name} has no rate")
    rate = torch.cat(rates)
    return results | {"rate": term_result(rate), "nelbo": bound_result(distortion + rate)}


def term_result(term: Tensor) -> Result:
    """Return the mean of a term of the nelbo, given for each image, in nats."""
    return mean_result(mean_and_error(term), f"nats; {len(term):,} images")


def bound_result(nelbo: Tensor) -> Result:
    """Return the mean of the nelbo of each image, in nats."""
    return mean_result(mean_and_error(nelbo), f"nats; {len(nelbo):,} images; upper bound on -log p(x)")


def bits_result(context: EvaluationContext, log_px: Tensor) -> Results:
    """Convert -log p(x) to bits per dimension, if the likelihood is a probability of 8-bit images."""
    if not context.model.likelihood.eight_bit:
        likelihood_name = type(context.model.likelihood).__name__
        return unavailable(("bits_per_dim",), f"{likelihood_name} is not a probability of 8-bit images")
    mean, error = mean_and_error(-log_px)
    shape = context.model.image_shape
    return {"bits_per_dim": Result(bits_per_dim(mean, shape), bits_per_dim(error, shape), note="of -log p(x)")}
