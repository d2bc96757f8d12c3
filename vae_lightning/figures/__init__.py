"""Pure functions from tensors to matplotlib figures. Nothing here knows of Lightning or Hydra."""

from vae_lightning.figures.images import image_grid, reconstructions, samples

__all__ = ["image_grid", "reconstructions", "samples"]
