"""Helpers for the tests of networks."""

import torch
from conftest import ROOT
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn

from vae_lightning.networks import Network


def configured_network(name: str) -> Network:
    """Build the network of a file in conf/model/network/."""
    return instantiate(OmegaConf.load(ROOT / "conf/model/network" / f"{name}.yaml"), _convert_="all")


def count_parameters(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(p.numel() for p in module.parameters())


def output_shapes(module: nn.Module, x: torch.Tensor, layer_types: tuple[type, ...]) -> list[tuple[int, ...]]:
    """Run the module; return the output shape of each layer of these types, without the batch dimension."""
    shapes: list[tuple[int, ...]] = []
    for layer in module.modules():
        if isinstance(layer, layer_types):
            layer.register_forward_hook(lambda _layer, _x, out: shapes.append(tuple(out.shape[1:])))
    module(x)
    return shapes


def layer_names(layers: nn.Module) -> list[str]:
    """Return the class names of the direct children."""
    return [type(layer).__name__ for layer in layers.children()]
