"""A likelihood for models whose densities are known on paper."""

import torch

from vae_lightning.distributions import GaussianImages, Likelihood


class LinearGaussian(Likelihood):
    """N(output, σ²), without a sigmoid."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, output):
        return GaussianImages(output, torch.tensor(self.sigma, dtype=output.dtype).log())
