"""Models and data to draw figures of."""

import torch
from hydra.utils import instantiate

from vae_lightning.data import ImageDataModule
from vae_lightning.models import ELBOModule


def build_model(small, *overrides: str) -> ELBOModule:
    """Return an untrained model of the small configuration, in eval mode."""
    torch.manual_seed(0)
    return instantiate(small(*overrides).model, _convert_="all").eval()


def build_data(small, *overrides: str) -> ImageDataModule:
    """Return the embedded digits of the small configuration."""
    data = instantiate(small(*overrides).data, _convert_="all")
    data.setup()
    return data
