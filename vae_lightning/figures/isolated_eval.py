"""Using a model in the middle of its training, without a trace."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vae_lightning.models import ELBOModule
from vae_lightning.rng import isolated_rng


@contextmanager
def isolated_eval(model: ELBOModule) -> Iterator[None]:
    """Run a block in eval mode, without gradients and with its own random seed.

    Afterwards, the mode of each submodule and the state of all random number generators are restored.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with isolated_rng(0), torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training
