"""Checks of the shapes that posteriors support."""

from vae_lightning.errors import UserError
from vae_lightning.types import LatentShape


def vector_dim(latent_shape: LatentShape, name: str, smallest: int = 1) -> int:
    """Return D, the number of latents of a posterior that requires a vector of them.

    Args:
        latent_shape: D, or the shape (C, h, w) of a map.
        name: of the posterior in conf/model/posterior.
        smallest: D for which the posterior is defined.

    Raises:
        UserError: if the latents form a map, or are fewer than `smallest`.
    """
    if not isinstance(latent_shape, int):
        raise UserError(f"model/posterior={name}: requires a vector of latents, not a map. Set model/network=resnet.")
    if latent_shape < smallest:
        raise UserError(
            f"model.latent_dim={latent_shape}: model/posterior={name} requires at least {smallest}. Set"
            f" model.latent_dim={smallest}."
        )
    return latent_shape
