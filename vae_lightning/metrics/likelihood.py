"""The likelihood of images, estimated by importance sampling."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vae_lightning.distributions.likelihoods.base import bits_per_dim as bits_per_dim
from vae_lightning.metrics.passes import Collect, collect

# Maps indices of images, int64 (b,), and standard normal noise (b, k, D) to log p(x|z) and log p(z) - log q(z|x) of
# the k draws of each image that the noise gives, both of shape (b, k).
LogTerms = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class LikelihoodEstimate(NamedTuple):
    """The likelihood of each of N images and the terms of its bound, float64 (N,), in nats.

    Attributes:
        log_px: the estimate of log p(x). Its expectation is at most log p(x).
        distortion: -log p(x|z), averaged over the draws.
        rate: log q(z|x) - log p(z), averaged over the draws. Distortion plus rate is the negative ELBO.
    """

    log_px: Tensor
    distortion: Tensor
    rate: Tensor


def log_likelihood(
    log_terms: LogTerms,
    n: int,
    noise_dim: int,
    *,
    samples: int,
    chunk: int,
    seed: int = 0,
    collect: Collect = collect,
) -> LikelihoodEstimate:
    """Estimate log p(x) ≈ log 1/K Σ_k p(x, z_k) / q(z_k|x) of each image.

    Burda et al. 2016, Eq. 8. With K = 5,000 this is the log p(x) of their section 5.

    The sum is accumulated in float64, over passes of at most `chunk` draws of one or more images, so memory depends
    only on `chunk`. The noise of an image depends only on the seed and its index, so `chunk` does not change the result
    except for rounding.

    Args:
        log_terms: the log-densities of the model at given draws; see `LogTerms`. Its tensors may be on any device.
        n: N, the number of images.
        noise_dim: D, the number of noise variables per draw.
        samples: K ≥ 1.
        chunk: the number of draws per pass.
        seed: of the noise.
        collect: computes the passes.
    """
    images_per_pass = max(1, chunk // samples)

    def estimate(p: int) -> Tensor:
        indices = torch.arange(p * images_per_pass, min((p + 1) * images_per_pass, n))
        return torch.stack(estimate_images(log_terms, indices, noise_dim, samples, chunk, seed), dim=1)

    return LikelihoodEstimate(*collect(range(-(-n // images_per_pass)), estimate).cpu().unbind(1))


@torch.no_grad()
def estimate_images(
    log_terms: LogTerms, indices: Tensor, noise_dim: int, samples: int, chunk: int, seed: int
) -> LikelihoodEstimate:
    """Estimate the likelihood of some images jointly, with at most `chunk` draws per pass."""
    # One NumPy generator per image: unlike torch's, its numbers do not depend on how many are drawn at once.
    generators = [np.random.default_rng((seed, i)) for i in indices.tolist()]
    draws_per_image = max(1, chunk // len(indices))
    log_sum = distortion = rate = torch.zeros(())  # replaced in the first pass, which determines the device
    for done in range(0, samples, draws_per_image):
        k = min(draws_per_image, samples - done)
        noise = np.stack([generator.standard_normal((k, noise_dim), dtype=np.float32) for generator in generators])
        log_px_given_z, log_ratio = (term.double() for term in log_terms(indices, torch.from_numpy(noise)))
        pass_log_sum = torch.logsumexp(log_px_given_z + log_ratio, dim=1)
        pass_distortion, pass_rate = -log_px_given_z.sum(1), -log_ratio.sum(1)
        if done == 0:
            log_sum, distortion, rate = pass_log_sum, pass_distortion, pass_rate
        else:
            log_sum = torch.logaddexp(log_sum, pass_log_sum)
            distortion, rate = distortion + pass_distortion, rate + pass_rate
    return LikelihoodEstimate(log_sum - math.log(samples), distortion / samples, rate / samples)
