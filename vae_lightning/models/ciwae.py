"""The combination importance-weighted autoencoder."""

from typing import Any

import torch
from torch import Tensor

from vae_lightning.models.iwae import IWAE


class CIWAE(IWAE):
    """β · ELBO + (1-β) · IWAE, both with the same K samples. Rainforth et al. 2018.

    Args:
        num_samples: K >= 1.
        elbo_weight: β in [0, 1]; 0 gives the IWAE, and 1 the VAE with K samples of z.
        **kwargs: those of `IWAE`.
    """

    def __init__(self, *, num_samples: int = 64, elbo_weight: float = 0.5, **kwargs: Any) -> None:
        super().__init__(num_samples=num_samples, **kwargs)
        self.elbo_weight = elbo_weight

    def bound(self, log_w: Tensor) -> Tensor:
        """Compute the combination for each image, (B,), from log weights (K, B)."""
        return self.elbo_weight * log_w.mean(0) + (1 - self.elbo_weight) * super().bound(log_w)

    def path_factors(self, log_w: Tensor) -> Tensor:
        """Return the factors that make the gradient through z doubly reparameterized, (K, B): 1 for the ELBO."""
        of_elbo = self.elbo_weight / len(log_w)
        of_iwae = (1 - self.elbo_weight) * log_w.softmax(0)
        total = (of_elbo + of_iwae).clamp_min(torch.finfo(log_w.dtype).tiny)  # for β = 0 it may round to 0
        return (of_elbo + of_iwae * super().path_factors(log_w)) / total
