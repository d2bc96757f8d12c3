"""The likelihood of images by importance sampling."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_lightning.metrics.repeats import Track

# Indices of images, int64 (b,), and standard normal noise (b, k, D), to log p(x|z) and log p(z) - log q(z|x) of the k
# draws z = mu + σ·noise of each, both (b, k).
Weigh = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Likelihood(NamedTuple):
    """Of each of N images, float64 (N,), in nats.

    Attributes:
        log_px: the estimate of log p(x), in the mean not above it.
        distortion: -log p(x|z), the mean over the draws.
        rate: log q(z|x) - log p(z), the mean over the draws; with the distortion it sums to the negative ELBO.
    """

    log_px: Tensor
    distortion: Tensor
    rate: Tensor


def log_likelihood(
    weigh: Weigh, n: int, latent_dim: int, *, samples: int, chunk: int, seed: int = 0, track: Track = iter
) -> Likelihood:
    """log 1/K Σ_k p(x, z_k) / q(z_k|x) of each image. Burda et al. 2016, Eq. 8; with K = 5,000 section 5's log p(x).

    It is accumulated in float64, K draws of one image or of several in passes of at most `chunk` draws, so that memory
    depends on `chunk` alone. Each image has noise of its own, which depends on the seed and its index: the chunks
    change nothing but rounding.

    Args:
        weigh: what a model says of some draws; see `Weigh`. Its tensors may live on any device.
        n: N, the number of images.
        latent_dim: D.
        samples: K ≥ 1.
        chunk: the draws of a pass.
        seed: of the noise.
        track: puts a progress bar around the passes.
    """
    images = max(1, chunk // samples)  # of a pass
    parts = []
    for p in track(range(-(-n // images))):
        indices = torch.arange(p * images, min((p + 1) * images, n))
        parts.append(estimate(weigh, indices, latent_dim, samples, chunk, seed))
    return Likelihood(*(torch.cat(part).cpu() for part in zip(*parts, strict=True)))


@torch.no_grad()
def estimate(weigh: Weigh, indices: Tensor, latent_dim: int, samples: int, chunk: int, seed: int) -> Likelihood:
    """The likelihood of some images together, whose draws are taken at most `chunk` at a time."""
    streams = [np.random.default_rng((seed, i)) for i in indices.tolist()]  # NumPy's do not depend on how much is asked
    at_once = max(1, chunk // len(indices))
    log_sum = distortion = rate = torch.zeros(())  # known after the first pass, with the device
    for done in range(0, samples, at_once):
        k = min(at_once, samples - done)
        noise = np.stack([stream.standard_normal((k, latent_dim), dtype=np.float32) for stream in streams])
        log_px, log_ratio = (term.double() for term in weigh(indices, torch.from_numpy(noise)))
        of_pass = torch.logsumexp(log_px + log_ratio, dim=1), -log_px.sum(1), -log_ratio.sum(1)
        if done == 0:
            log_sum, distortion, rate = of_pass
        else:
            log_sum = torch.logaddexp(log_sum, of_pass[0])
            distortion, rate = distortion + of_pass[1], rate + of_pass[2]
    return Likelihood(log_sum - math.log(samples), distortion / samples, rate / samples)


def bits_per_dim(nats: float, image_shape: tuple[int, ...]) -> float:
    """Nats per image as bits per value of the image; only of a probability of 8-bit images does it mean anything."""
    return nats / (math.prod(image_shape) * math.log(2))
