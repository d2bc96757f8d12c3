"""How likely the images are."""

import torch
from torch import Tensor

from vae_lightning.data import Batch
from vae_lightning.distributions import Bernoulli
from vae_lightning.evaluation.findings import Finding, Findings, measured, refused
from vae_lightning.evaluation.subject import Subject
from vae_lightning.metrics import bits_per_dim, log_likelihood, mean_and_error


def likelihood(subject: Subject) -> Findings:
    """log p(x) by importance sampling, and the bound with its parts; the parts alone where q(z|x) has no density."""
    s = subject.settings
    n = min(s.likelihood_images, len(subject.x))
    if not subject.is_gaussian:
        return parts(subject, n)
    found = log_likelihood(
        subject.weigh,
        n,
        subject.encoded.mean.shape[1],
        samples=s.samples,
        chunk=s.chunk,
        seed=s.seed,
        track=subject.track(f"log p(x), K = {s.samples:,}"),
    )
    note = f"nats; K = {s.samples:,}, {n:,} images"
    if isinstance(subject.model.likelihood, Bernoulli) and not subject.is_binary:
        note += "; of grey images no likelihood but the papers' cross-entropy"
    findings = {
        "log_px": measured(mean_and_error(found.log_px), note),
        "nelbo": measured(mean_and_error(found.distortion + found.rate), "nats; the bound on -log p(x)"),
        "distortion": measured(mean_and_error(found.distortion), "nats"),
        "rate": measured(mean_and_error(found.rate), "nats"),
    }
    return findings | bits(subject, found.log_px)


@torch.no_grad()
def parts(subject: Subject, n: int) -> Findings:
    """Distortion, and rate and bound where the model has them, by one pass: there is nothing to draw."""
    model = subject.model
    distortions, rate = [], None
    for x, y in subject.batches(Batch(subject.x[:n], None if subject.y is None else subject.y[:n])):
        inference = model(x, y)
        distortions.append(-inference.px.log_prob(inference.x))
        rate = model.regularizer(inference)[1].get("rate")
    distortion = torch.cat(distortions)
    reason = f"q(z|x) of {subject.name} has no density to weigh draws with"
    findings = refused(("log_px", "bits_per_dim"), reason)
    findings["distortion"] = measured(mean_and_error(distortion), f"nats; {n:,} images")
    if rate is None:
        return findings | refused(("nelbo", "rate"), f"{subject.name} has no rate")
    findings["rate"] = Finding(rate.item(), note="nats")
    findings["nelbo"] = measured(mean_and_error(distortion + rate), "nats; the bound on -log p(x)")
    return findings


def bits(subject: Subject, log_px: Tensor) -> Findings:
    """-log p(x) in bits per value of the image, where it is a probability of 8-bit images."""
    if not subject.model.likelihood.eight_bit:
        family = type(subject.model.likelihood).__name__
        return refused(("bits_per_dim",), f"{family} is no probability of 8-bit images")
    mean, error = mean_and_error(-log_px)
    shape = subject.model.image_shape
    return {"bits_per_dim": Finding(bits_per_dim(mean, shape), bits_per_dim(error, shape), note="of -log p(x)")}
