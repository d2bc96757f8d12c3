"""The variants, each a few lines on `ELBOModule`."""

from vae_lightning.models.ae import AE
from vae_lightning.models.beta_vae import BetaVAE
from vae_lightning.models.elbo import ELBOModule
from vae_lightning.models.vae import VAE

__all__ = ["AE", "VAE", "BetaVAE", "ELBOModule"]
