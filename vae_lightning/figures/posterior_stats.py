"""Statistics of the posterior over the probe images, for figures and monitors."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from vae_lightning.data import Batch, ImageDataModule
from vae_lightning.distributions import Codes, DiagonalGaussian
from vae_lightning.distributions.posterior import ACTIVE_UNIT_VARIANCE
from vae_lightning.figures.probe_images import probe_images, to_device
from vae_lightning.models import ELBOModule
from vae_lightning.models.encoding import standardize
from vae_lightning.posteriors import JointDistribution
from vae_lightning.regularizers import kl, kl_per_latent

NUM_PROBES = 500  # images over which the rate of each latent is averaged after each epoch


class PosteriorStats(NamedTuple):
    """Statistics of q(z|x) over N images. If it has categories as well, D is the number of the continuous latents.

    Attributes:
        mu: the means, (N, D).
        logvar: log σ², (N, D), or None unless q(z|x) is a diagonal Gaussian.
        centers: `mu` if there is `logvar`, else draws from q(z|x), (N, D), which are codes if it is deterministic. The
            aggregate posterior has their variance, plus the mean of σ² if there is one.
        deviation: `standardize`, (N, D), or `mu` where that is None.
        rate: the mean KL of all latents and categories, in nats, or None if there is none or estimating it takes long.
        rates: the mean KL of each latent, (D,), in nats, or None if the KL has no closed form per latent.
    """

    mu: Tensor
    logvar: Tensor | None
    centers: Tensor
    deviation: Tensor
    rate: float | None
    rates: Tensor | None

    @property
    def active(self) -> Tensor:
        """Whether each latent is active, bool (D,): whether the variance of `deviation` exceeds ACTIVE_UNIT_VARIANCE.

        Information that a conditional prior already has does not count.
        """
        return self.deviation.var(0, correction=0) > ACTIVE_UNIT_VARIANCE

    @property
    def order(self) -> Tensor:
        """Indices of the latents, int64 (D,), sorted by descending KL, or by the variance of the means without a KL."""
        return (self.mu.var(0, correction=0) if self.rates is None else self.rates).argsort(descending=True)


# Several callbacks use the posterior of the same epoch: model -> images seen, device and posterior.
POSTERIOR_CACHE: WeakKeyDictionary[ELBOModule, tuple[int, torch.device, PosteriorStats | None]] = WeakKeyDictionary()


def latest_posterior(model: ELBOModule, data: ImageDataModule) -> PosteriorStats | None:
    """Return statistics of q(z|x) over the probe images, or None for a discrete posterior.

    They are computed once per number of training images seen, and per device.
    """
    *computed, posterior = POSTERIOR_CACHE.get(model, (None, None))
    if computed != [model.images_seen, model.device]:
        posterior = posterior_stats(model, to_device(probe_images(data, NUM_PROBES), model.device))
        POSTERIOR_CACHE[model] = model.images_seen, model.device, posterior
    return posterior


def posterior_stats(model: ELBOModule, images: Batch) -> PosteriorStats | None:
    """Compute statistics of q(z|x) over images, and its KL to the prior; None for a discrete posterior."""
    out = model(*images)
    n = len(images.x)
    if isinstance(out.qz, Codes):
        return None
    q, p = (out.qz.gaussian, out.pz.gaussian) if isinstance(out.qz, JointDistribution) else (out.qz, out.pz)
    if q.mean.shape[1] == 0:
        return None
    mu = q.mean[:n]  # IWAE and M2 repeat the batch
    logvar = q.logvar[:n] if isinstance(q, DiagonalGaussian) else None
    deviation = standardize(q, p, model.posterior.support) if model.posterior.has_density else None
    is_gaussian = isinstance(q, DiagonalGaussian) and isinstance(p, DiagonalGaussian)
    return PosteriorStats(
        mu,
        logvar,
        centers=out.z[:n] if logvar is None else mu,
        deviation=mu if deviation is None else deviation[:n],
        rate=kl(out)[:n].mean().item() if model.has_rate and not model.prior.is_estimated else None,
        rates=kl_per_latent(q, p)[:n].mean(0) if is_gaussian else None,
    )
