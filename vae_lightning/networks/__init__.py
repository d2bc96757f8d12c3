"""Encoders (image -> features) and decoders (latents -> parameters of the likelihood)."""

from vae_lightning.networks.base import Encoder, Network, SpatialNetwork
from vae_lightning.networks.burgess import Burgess
from vae_lightning.networks.conv import Conv, ConvEncoder
from vae_lightning.networks.ladder import Ladder
from vae_lightning.networks.mlp import MLP
from vae_lightning.networks.resnet import ResNet, SpatialResNet
from vae_lightning.types import Shape

__all__ = [
    "MLP",
    "Burgess",
    "Conv",
    "ConvEncoder",
    "Encoder",
    "Ladder",
    "Network",
    "ResNet",
    "Shape",
    "SpatialNetwork",
    "SpatialResNet",
]
