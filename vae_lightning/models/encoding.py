"""The encoder's output for many images."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.distributions.posterior import standardized_mean
from vae_lightning.models.base import ELBOModule
from vae_lightning.posteriors import JointDistribution
from vae_lightning.regularizers import kl_per_latent

PRIOR_DRAWS = 1000  # for σ, which is only a scale


class Encoded(NamedTuple):
    """The encoder's output for N images, on the CPU.

    Attributes:
        mean: the posterior means, (N, D).
        z: one draw from each posterior, (N, D); the code itself if the posterior has no density.
        logvar: log σ², (N, D); None if the posterior is not a diagonal Gaussian. In a hierarchy, like the mean, it is
            conditional on the means of the groups above.
        kl: the KL of each latent to the prior, (N, D); None if it has no closed form.
        deviation: `standardize`, (N, D), or `mean` where that is None.
    """

    mean: Tensor
    z: Tensor
    logvar: Tensor | None
    kl: Tensor | None
    deviation: Tensor


def standardize(q: Any, p: Any, support: str) -> Tensor | None:
    """Return (mean of q - mean of p) / σ of p, (B, D), whose variance over images shows which latents are active.

    If there are categories as well, D is the number of the continuous latents.

    Args:
        q: the posterior of B images.
        p: the prior.
        support: that of both.

    Returns:
        None if p is another distribution of vectors than a diagonal Gaussian, such as a mixture.
    """
    if isinstance(q, JointDistribution):
        q, p = q.gaussian, p.gaussian
    if isinstance(q, DiagonalGaussian) and isinstance(p, DiagonalGaussian):
        return standardized_mean(q, p)
    if support == "vectors":
        return None
    draws = p.sample(PRIOR_DRAWS, torch.Generator().manual_seed(0))
    return (q.mean - draws.mean(0)) / draws.std(0)


@torch.no_grad()
def encode(model: ELBOModule, batches: Iterable[tuple[Tensor, Tensor | None]], seed: int) -> Encoded:
    """Encode batches of images on the model's device."""
    generator = torch.Generator().manual_seed(2 * seed)
    means, draws, logvars, kls, deviations = [], [], [], [], []
    for x, y in batches:
        if not model.posterior.has_density:
            means.append(model.encode(x, y).mean.cpu())
            continue
        noise = torch.randn(len(x), model.noise_dim, generator=generator).to(x.device)
        qz, pz, z = model.infer(model.as_images(x), y, noise=noise)
        q = qz if model.posterior.factorizes else model.encode(x, y)  # given the means of the groups above, not draws
        means.append(q.mean.cpu())
        draws.append(z.cpu())
        if isinstance(qz, DiagonalGaussian):
            logvars.append(q.logvar.cpu())
            if isinstance(pz, DiagonalGaussian):
                kls.append(kl_per_latent(qz, pz).cpu())
        deviation = standardize(qz, pz, model.posterior.support)
        deviations.append((q.mean if deviation is None else deviation).cpu())
    mean = torch.cat(means)
    return Encoded(
        mean,
        z=torch.cat(draws) if draws else mean,
        logvar=torch.cat(logvars) if logvars else None,
        kl=torch.cat(kls) if kls else None,
        deviation=torch.cat(deviations) if deviations else mean,
    )
