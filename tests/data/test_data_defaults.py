"""Tests that the defaults of data modules in Python equal those of the files in conf/data/."""

import inspect
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from conftest import ROOT
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

import vae_lightning.config.validation  # noqa: F401 - registers ${length:...}
from vae_lightning.data import DigitsDataModule, ImageDataModule
from vae_lightning.models import VAE
from vae_lightning.networks import MLP

CHOICES = sorted({file.stem for file in (ROOT / "conf" / "data").glob("*.yaml")} - {"of_run"})
REQUIRED = {"arrays": {"root": "data.npy"}, "image_folder": {"root": "data"}}  # options without a default


@cache
def data_config(choice: str) -> dict[str, Any]:
    """Return the resolved configuration of conf/data/<choice>.yaml."""
    required = [f"data.{key}={value}" for key, value in REQUIRED.get(choice, {}).items()]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", [f"data={choice}", *required, "run_dir=here"])
    return OmegaConf.to_container(config.data, resolve=True)


def data_class(choice: str) -> type[ImageDataModule]:
    """Return the class of conf/data/<choice>.yaml."""
    return get_class(data_config(choice)["_target_"])


def options(choice: str) -> dict[str, Any]:
    """Return the options in conf/data/<choice>.yaml."""
    return {key: value for key, value in data_config(choice).items() if key != "_target_"}


def plain(value: Any) -> Any:
    """Convert an attribute to the type that YAML has for it."""
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


@pytest.mark.parametrize("choice", CHOICES)
def test_defaults_equal_those_of_conf(choice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("data.npy", np.zeros((20, 8, 8)))
    data = data_class(choice)(**REQUIRED.get(choice, {}))
    expected = options(choice)
    if "cache" in expected:
        assert expected["cache"] is None
        expected["cache"] = "data/cache"  # in the root
    if expected["image_shape"] is None:
        expected["image_shape"] = [1, 8, 8]  # of the file
    assert {name: plain(getattr(data, name)) for name in expected} == expected


@pytest.mark.parametrize("choice", CHOICES)
def test_every_argument_is_an_option_in_conf(choice):
    parameters = [
        parameter
        for base in data_class(choice).__mro__
        if issubclass(base, ImageDataModule)
        for parameter in inspect.signature(base.__init__).parameters.values()
    ]
    keyword_only = {p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert keyword_only == set(options(choice))


@pytest.mark.filterwarnings("ignore:`isinstance")  # Lightning's own use of torch
def test_digits_train_with_a_plain_trainer():
    data = DigitsDataModule()
    model = VAE(latent_dim=3, image_shape=data.image_shape, network=MLP(hidden_dims=[16]))
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    assert trainer.global_step == 40  # 1,257 images in batches of 32
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 1257, "val": 180, "test": 360}
    assert next(iter(data.train_dataloader())).x.shape == (32, 1, 28, 28)


def test_overfitting_uses_the_same_batches_in_each_epoch():
    data = DigitsDataModule()
    data.setup()
    data.trainer = SimpleNamespace(overfit_batches=2, strategy=SimpleNamespace(root_device=torch.device("cpu")))
    loader = data.train_dataloader()
    first, second = ([batch.x for batch in loader] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
