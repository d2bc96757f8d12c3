"""Information in the latents of a run, and the distance of the aggregate posterior from the prior."""

from vae_lightning.distributions import StandardNormal
from vae_lightning.distributions.posterior import ACTIVE_UNIT_VARIANCE, LOG_2PI
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.results import Result, Results, mean_result, unavailable
from vae_lightning.metrics import active_units, mean_and_error, mmd_test
from vae_lightning.metrics.information import information as information_terms

DRAWS_PER_PASS = {"cpu": 128, "cuda": 4096}  # fits the CPU's cache; keeps a GPU busy

NOT_GAUSSIAN = "q(z|x) or p(z) is not a diagonal Gaussian, or p(z) is not the same for all images"


def information(context: EvaluationContext) -> Results:
    """Compute the terms of the KL, the active units, the KL per latent, and the two-sample test against the prior."""
    return kl_terms(context) | latent_usage(context) | prior_test(context)


def kl_terms(context: EvaluationContext) -> Results:
    """Compute I(x; z), total correlation and dimension-wise KL from the exact aggregate posterior."""
    names = ("mutual_information", "total_correlation", "dimension_wise_kl")
    mean, z, logvar, *_ = context.encoded
    if not context.model.posterior.has_density:
        return unavailable(names, f"q(z|x) of {context.name} has no density")
    if logvar is None or not context.model.posterior.factorizes:
        return unavailable(
            names, f"q(z|x) of {context.name} is not a diagonal Gaussian, whose marginals have a closed form"
        )
    terms = information_terms(
        *(t.to(context.device) for t in (mean, logvar, z)),
        chunk=DRAWS_PER_PASS.get(context.device.type, 1024),
        collect=context.collect("q(z) of all pairs", len(z)),
    )
    n = f"{len(z):,}"
    results = {
        names[0]: mean_result(
            mean_and_error(terms.mutual_information), f"nats; I(x; z), q(z) of {n} images, at most log {n}"
        ),
        names[1]: mean_result(mean_and_error(terms.total_correlation), f"nats; q(z) of {n} images"),
    }
    if not isinstance(context.model.prior, StandardNormal):
        return results | unavailable(names[2:], "requires the prior N(0, I)")
    log_pz = -0.5 * (z.double().square() + LOG_2PI)  # (N, D)
    dimension_wise_kl = (terms.log_marginals.cpu() - log_pz).sum(1)
    return results | {names[2]: mean_result(mean_and_error(dimension_wise_kl), f"nats; q(z) of {n} images")}


def latent_usage(context: EvaluationContext) -> Results:
    """Count the active units and compute the KL of each latent."""
    deviation, kl = context.encoded.deviation, context.encoded.kl
    results = {
        "active_units": Result(
            float(active_units(deviation)),
            note=f"of {deviation.shape[1]}: variance of the mean relative to p(z) above {ACTIVE_UNIT_VARIANCE}",
        )
    }
    if kl is None:
        no_density = f"q(z|x) of {context.name} has no density"
        has_density = context.model.posterior.has_density
        return results | unavailable(("kl_per_latent",), NOT_GAUSSIAN if has_density else no_density)
    return results | {"kl_per_latent": Result(kl.double().mean(0).tolist(), note="nats")}


def prior_test(context: EvaluationContext) -> Results:
    """Compare draws from the aggregate posterior with draws from the prior by a permutation test on MMD²."""
    settings = context.settings
    n = min(settings.test_images, len(context.x))
    if n < 2:
        return unavailable(("mmd", "mmd_p_value"), "the test needs at least two images")
    test = mmd_test(
        context.encoded.z[:n], context.sample_prior(n), permutations=settings.permutations, seed=settings.seed
    )
    return {
        "mmd": Result(test.mmd, note=f"MMD², unbiased; {n:,} draws each from q(z) and the prior"),
        "mmd_p_value": Result(
            test.p_value, note=f"null hypothesis: q(z) is the prior; {settings.permutations} permutations"
        ),
    }
