"""What the latents know of the image, of each other, and how far they are from the prior."""

from vae_lightning.distributions import StandardNormal
from vae_lightning.distributions.posterior import LOG_2PI
from vae_lightning.evaluation.findings import Finding, Findings, measured, refused
from vae_lightning.evaluation.subject import Subject
from vae_lightning.metrics import active_units, mean_and_error, mmd_test
from vae_lightning.metrics.information import information as exact_information

CHUNK = {"cpu": 128, "cuda": 4096}  # draws a pass: what a cache holds, and what a GPU needs to be busy

NO_PRODUCT = "this prior is no product over latents that is the same for all images"


def information(subject: Subject) -> Findings:
    """The KL taken apart, active units, KL per latent, and the aggregate posterior against the prior."""
    return decomposition(subject) | latents(subject) | against_prior(subject)


def decomposition(subject: Subject) -> Findings:
    """I(x; z), total correlation and dimension-wise KL against the exact aggregate posterior."""
    names = ("mutual_information", "total_correlation", "dimension_wise_kl")
    mean, z, logvar, _ = subject.encoded
    if logvar is None:
        return refused(names, f"q(z|x) of {subject.name} has no density")
    if subject.is_hierarchy:
        return refused(names, f"q(z|x) of {subject.name} is no product over latents, its marginals have no closed form")
    terms = exact_information(
        *(t.to(subject.device) for t in (mean, logvar, z)),
        chunk=CHUNK.get(subject.device.type, 1024),
        track=subject.track("q(z) of all pairs"),
    )
    n = f"{len(z):,}"
    findings = {
        names[0]: measured(
            mean_and_error(terms.mutual_information), f"nats; I(x; z), q(z) of {n} images, at most log {n}"
        ),
        names[1]: measured(mean_and_error(terms.total_correlation), f"nats; q(z) of {n} images"),
    }
    if not isinstance(subject.model.prior, StandardNormal):
        return findings | refused(names[2:], NO_PRODUCT)
    log_pz = -0.5 * (z.double().square() + LOG_2PI)  # (N, D)
    return findings | {
        names[2]: measured(mean_and_error((terms.log_marginals.cpu() - log_pz).sum(1)), f"nats; q(z) of {n} images")
    }


def latents(subject: Subject) -> Findings:
    """How many latents are in use, and how much."""
    mean, _, logvar, kl = subject.encoded
    findings = {
        "active_units": Finding(
            float(active_units(mean)), note=f"of {mean.shape[1]}: variance of the posterior mean above 0.01"
        )
    }
    if kl is None:
        no_density = f"q(z|x) of {subject.name} has no density"
        return findings | refused(("kl_per_latent",), no_density if logvar is None else NO_PRODUCT)
    return findings | {"kl_per_latent": Finding(kl.double().mean(0).tolist(), note="nats")}


def against_prior(subject: Subject) -> Findings:
    """Draws of the aggregate posterior against draws from the prior, by MMD and a permutation test."""
    s = subject.settings
    n = min(s.test_images, len(subject.x))
    if n < 2:
        return refused(("mmd", "mmd_p_value"), "one image is no sample")
    found = mmd_test(subject.encoded.z[:n], subject.from_prior(n), permutations=s.permutations, seed=s.seed)
    note = f"{n:,} draws of q(z) against as many of the prior"
    return {
        "mmd": Finding(found.mmd, note=f"MMD², unbiased; {note}"),
        "mmd_p_value": Finding(found.p_value, note=f"that q(z) is the prior; {s.permutations} permutations"),
    }
