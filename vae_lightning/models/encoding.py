"""The encoder's output for many images."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.distributions.posterior import standardized_mean
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import kl_per_latent


class Encoded(NamedTuple):
    """The encoder's output for N images, on the CPU.

    Attributes:
        mean: the posterior means, (N, D).
        z: one draw from each posterior, (N, D); the code itself if the posterior has no density.
        logvar: log σ², (N, D); None if the posterior is not a diagonal Gaussian. In a hierarchy, like the mean, it is
            conditional on the means of the groups above.
        kl: the KL of each latent to the prior, (N, D); None if it has no closed form.
        deviation: (mean - mean of the prior) / σ of the prior, (N, D); `mean` itself unless q(z|x) and p(z) are
            diagonal Gaussians.
    """

    mean: Tensor
    z: Tensor
    logvar: Tensor | None
    kl: Tensor | None
    deviation: Tensor


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
                deviations.append(standardized_mean(qz, pz).cpu())
    mean = torch.cat(means)
    return Encoded(
        mean,
        z=torch.cat(draws) if draws else mean,
        logvar=torch.cat(logvars) if logvars else None,
        kl=torch.cat(kls) if kls else None,
        deviation=torch.cat(deviations) if deviations else mean,
    )
