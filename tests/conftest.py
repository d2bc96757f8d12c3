"""Shared fixtures: a small configuration to run, and the arguments and data of small models."""

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from browser_page import browser, page
from codes import factors, noise, perfect, rotated
from evaluation_cases import make_context
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from on_disk import celeba, dsprites_root
from report_runs import make_run, sweep

from vae_lightning.data import DigitsDataModule
from vae_lightning.distributions import Bernoulli
from vae_lightning.networks import MLP

__all__ = [
    "browser",
    "celeba",
    "dsprites_root",
    "factors",
    "make_context",
    "make_run",
    "noise",
    "page",
    "perfect",
    "rotated",
    "sweep",
]  # fixtures
ROOT = Path(__file__).parents[1]

SMALL = [
    "name=small",
    "data.image_shape=[1,8,8]",
    "data.batch_size=256",
    "model/network=mlp",
    "model.network.hidden_dims=[16]",
    "model.latent_dim=3",
    "trainer=cpu",
    "trainer.max_epochs=2",
    "~callbacks.progress_bar",
    "trainer.enable_progress_bar=false",
]


OF_A_RUN = {"latent_prior", "of_run"}  # choices of model and data that need a trained run
LADDER = ["model.network.channels=[4,4]", "model.network.groups=[1,1]"]


@pytest.fixture
def digits() -> Callable[..., DigitsDataModule]:
    """Return a function that makes a data module with its images loaded: digits(binarize="fixed")."""

    def load(**options: Any) -> DigitsDataModule:
        data = DigitsDataModule(**options)
        data.setup()
        return data

    return load


@pytest.fixture
def configuration(tmp_path: Path) -> Callable[..., DictConfig]:
    """Return a function that composes a configuration: configuration("model=ae", run="name of its directory")."""

    def compose_config(*overrides: str, run: str = "run") -> DictConfig:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose("train", [f"run_dir={tmp_path / run}", *overrides])

    return compose_config


@pytest.fixture
def small(configuration) -> Callable[..., DictConfig]:
    """Return a function that composes a configuration of the embedded digits, which trains in a second.

    Figures, which would take most of that second, are drawn only by tests that set options of `callbacks.figures`.
    """

    def compose_small(*overrides: str, run: str = "run") -> DictConfig:
        options = SMALL
        if "model=vdvae" in overrides:  # its network is a ladder
            options = [*(option for option in SMALL if "network" not in option), *LADDER]
        if not any(override.lstrip("~").startswith(("callbacks=", "callbacks.figures")) for override in overrides):
            options = [*options, "callbacks.figures.periodic=[]", "callbacks.figures.final=[]"]
        return configuration(*options, *overrides, run=run)

    return compose_small


@pytest.fixture
def parts() -> dict[str, Any]:
    """Return the arguments that all models have in common."""
    torch.manual_seed(0)
    return {
        "image_shape": (1, 8, 8),
        "num_classes": 10,
        "conditional": False,
        "latent_dim": 3,
        "network": MLP(hidden_dims=[16], activation="Tanh"),
        "likelihood": Bernoulli(),
        "optimizer": partial(torch.optim.Adam, lr=1e-3),
    }


@pytest.fixture
def images() -> torch.Tensor:
    """Return a batch of uint8 noise (7, 1, 8, 8)."""
    return torch.randint(256, (7, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def mnist_root(tmp_path: Path) -> Path:
    """Write 100 training and 50 test images in the official format. Image i has the value i and the label i % 10."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, n in (("train", 100), ("t10k", 50)):
        images = b"".join(bytes([i]) * 28 * 28 for i in range(n))
        (raw / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, n, 28, 28) + images)
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, n) + bytes(i % 10 for i in range(n)))
    return tmp_path
