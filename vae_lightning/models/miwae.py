"""The multiply importance-weighted autoencoder."""

from typing import Any

from torch import Tensor

from vae_lightning.models.iwae import IWAE, importance_weighted_bound


class MIWAE(IWAE):
    """The mean of M bounds of `IWAE` with K samples each. Rainforth et al. 2018.

    Compared with one bound of M·K samples it is less tight, but the gradient of the encoder has a higher
    signal-to-noise ratio.

    Args:
        num_bounds: M >= 1; 1 gives the IWAE. The decoder processes M·K times the batch.
        num_samples: K >= 1; 1 gives the VAE with M samples of z.
        **kwargs: those of `IWAE`.
    """

    def __init__(self, *, num_bounds: int = 8, num_samples: int = 8, **kwargs: Any) -> None:
        super().__init__(num_samples=num_samples, **kwargs)
        self.num_bounds = num_bounds

    @property
    def num_draws(self) -> int:
        """Number of draws per image, M·K."""
        return self.num_bounds * self.num_samples

    def by_bound(self, log_w: Tensor) -> Tensor:
        """Assign the draws (K·M, B) to bounds, (K, M, B)."""
        return log_w.unflatten(0, (self.num_samples, self.num_bounds))

    def bound(self, log_w: Tensor) -> Tensor:
        """Compute the mean of the bounds of each image, (B,), from log weights (K·M, B)."""
        return importance_weighted_bound(self.by_bound(log_w)).mean(0)

    def path_factors(self, log_w: Tensor) -> Tensor:
        """Return the factors that make the gradient through z doubly reparameterized, those of `IWAE` per bound."""
        return super().path_factors(self.by_bound(log_w)).flatten(0, 1)
