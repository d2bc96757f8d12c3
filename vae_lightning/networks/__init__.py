"""Encoders (image -> features) and decoders (latent -> what the likelihood needs)."""

from vae_lightning.networks.base import Encoder, Network, Shape
from vae_lightning.networks.conv import Conv
from vae_lightning.networks.mlp import MLP

__all__ = ["MLP", "Conv", "Encoder", "Network", "Shape"]
