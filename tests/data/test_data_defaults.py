"""The defaults of the data modules are those of conf/data/."""

import inspect

import pytest
from conftest import ROOT
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import OmegaConf

import vae_lightning.config.validation  # noqa: F401 - registers ${length:...}
from vae_lightning.data import DigitsDataModule, ImageDataModule

CHOICES = sorted(file.stem for file in (ROOT / "conf" / "data").glob("*.yaml"))


def defaults(module: type) -> dict[str, object]:
    """The defaults of a class and its bases, and those that a data set changes; the nearest counts."""
    found: dict[str, object] = {}
    for base in reversed([b for b in module.__mro__ if issubclass(b, ImageDataModule)]):
        parameters = inspect.signature(base.__init__).parameters.values()
        found |= {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
    return found | module.defaults


@pytest.mark.parametrize("choice", CHOICES)
def test_the_defaults_are_those_of_conf(choice):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", [f"data={choice}", *["data.root=data"] * (choice == "image_folder")])
    config = OmegaConf.to_container(cfg.data, resolve=True)
    module = get_class(config.pop("_target_"))
    if choice == "celeba":
        assert config.pop("num_classes") == len(config["attributes"]) == 40  # follows from the attributes
    if choice == "image_folder":
        config.pop("root")  # required
    expected = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults(module).items()}
    assert {name: expected[name] for name in config} == config


def test_a_data_module_without_arguments_can_be_used():
    data = DigitsDataModule()
    data.setup()
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 1257, "val": 180, "test": 360}
    assert next(iter(data.train_dataloader())).x.shape == (32, 1, 28, 28)
