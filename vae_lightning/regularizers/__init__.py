"""What is added to the distortion. Nothing here knows of Lightning or Hydra."""

from vae_lightning.regularizers.base import NoPenalty, Regularizer
from vae_lightning.regularizers.kl import KL, gaussian_kl

__all__ = ["KL", "NoPenalty", "Regularizer", "gaussian_kl"]
