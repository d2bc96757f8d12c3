"""The VAE with continuous and discrete latents."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from vae_lightning.distributions import Prior
from vae_lightning.models.base import ELBOModule
from vae_lightning.posteriors import GumbelSoftmax
from vae_lightning.priors import UniformCategories
from vae_lightning.regularizers import JointCapacity


class JointVAE(ELBOModule):
    """distortion + γ · (|KL_z - C_z(t)| + |KL_c - C_c(t)|). Dupont 2018, Eq. 7. The capacities rise with the warm-up.

    The continuous latents z come first, then the one-hot vectors c of groups of categories.

    Args:
        gamma: γ >= 0.
        capacity: C_z >= 0, of the continuous latents, in nats.
        discrete_capacity: C_c >= 0, of the categories.
        categories: numbers of categories of the groups.
        temperature: of the relaxed draws in training.
        latent_dim: number of latents, including all categories.
        prior: see `ELBOModule`.
        **kwargs: the others of `ELBOModule`.
    """

    def __init__(
        self,
        *,
        gamma: float = 30.0,
        capacity: float = 5.0,
        discrete_capacity: float = 5.0,
        categories: Sequence[int] = (10,),
        temperature: float = 0.67,
        latent_dim: int = 20,
        prior: Callable[..., Prior] = UniformCategories,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            regularizer=JointCapacity(
                categories=categories, gamma=gamma, capacity=capacity, discrete_capacity=discrete_capacity
            ),
            own_posterior=partial(GumbelSoftmax, categories=categories, temperature=temperature),
            latent_dim=latent_dim,
            prior=prior,
            **kwargs,
        )
