"""Tests of the comparison of configurations."""

import inspect
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from hydra.utils import get_class

from vae_lightning.config.comparison import (
    ADDED_LOADING_OPTIONS,
    ADDED_OPTIONS,
    FIXED_IN_DATA,
    changed_options,
    config_identity,
    differences,
)
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError
from vae_lightning.models import ELBOModule

OLD = {"run_dir": "here", "model": {"_target_": "Model", "prior": {"_target_": "Prior"}}}


@pytest.fixture
def _added(monkeypatch):
    monkeypatch.setitem(ADDED_OPTIONS, "Model", {"option": "before"})
    monkeypatch.setitem(ADDED_OPTIONS, "Prior", {"depth": 1})


def configuration(option: str, depth: int) -> dict[str, object]:
    prior = {"_target_": "Prior", "depth": depth}
    return {"run_dir": "there", "model": {"_target_": "Model", "option": option, "prior": prior}}


@pytest.mark.usefixtures("_added")
def test_run_older_than_an_option_has_the_value_of_before():
    same, other = configuration("before", 1), configuration("after", 2)
    assert config_identity(OLD) == config_identity(same)
    expected = {"model.option": ("before", "after"), "model.prior.depth": (1, 2)}
    assert differences(config_identity(OLD), config_identity(other)) == expected
    assert changed_options(OLD, same, Path("run")) == {}


@pytest.mark.usefixtures("_added")
def test_added_options_of_other_classes_are_left_out():
    config = {"run_dir": "here", "model": {"_target_": "Other"}, "data": {"_target_": ["damaged"]}}
    expected = {"model._target_": "Other", "data._target_": ["damaged"], **ADDED_LOADING_OPTIONS}
    assert config_identity(config) == expected


def test_run_of_any_data_older_than_a_loading_option_has_the_value_of_before():
    old = {"run_dir": "here", "data": {"_target_": "my_data.Noise"}}
    new = {"run_dir": "here", "data": {"_target_": "my_data.Noise", "flip": False}}
    assert config_identity(old) == config_identity(new)
    assert changed_options(old, {**new, "data": {**new["data"], "flip": True}}, Path("run")) == {
        "data.flip": (False, True)
    }
    arguments = inspect.signature(ImageDataModule.__init__).parameters
    assert {key.removeprefix("data.") for key in ADDED_LOADING_OPTIONS} <= arguments.keys()


@pytest.mark.parametrize("target", ADDED_OPTIONS)
def test_added_options_are_arguments_of_their_class(target):
    """Otherwise a renamed option would make old runs different."""
    cls = get_class(target)
    # A model passes arguments on to the one that it varies.
    classes = cls.__mro__[: cls.__mro__.index(ELBOModule)] if issubclass(cls, ELBOModule) else [cls]
    arguments = {name for base in classes for name in inspect.signature(base.__init__).parameters}
    assert ADDED_OPTIONS[target].keys() <= arguments


def test_only_paths_in_the_run_directory_are_replaced():
    config = {"run_dir": "A", "optimizer": {"_target_": "Adam"}, "dirpath": "A/checkpoints", "root": "A", "other": "A2"}
    expected = {"optimizer._target_": "Adam", "dirpath": "run_dir/checkpoints", "root": "run_dir", "other": "A2"}
    assert config_identity(config) == {**expected, **ADDED_LOADING_OPTIONS}


def test_names_that_begin_with_that_of_an_ignored_option_are_compared():
    config = {"run_dir": "A", "callbacks": {"metrics": {"num_images": 9}, "metrics_of_mine": {"num_images": 9}}}
    assert config_identity(config) == {"callbacks.metrics_of_mine.num_images": 9, **ADDED_LOADING_OPTIONS}


def test_resumed_run_can_only_change_how_its_images_are_loaded():
    """A new option of the data belongs to one of both."""
    loading = {"cache", "device_resident", "download", "root", "skip_corrupt"}
    batches = {"batch_size", "dtype", "eval_batch_size", "flip", "pairs", "seed", "validation_split"}
    files = [yaml.safe_load(file.read_text()) for file in (ROOT / "conf" / "data").rglob("*.yaml")]
    options = {name for options in files for name in options} - {"defaults"}
    assert options == FIXED_IN_DATA | loading | batches
    for name in FIXED_IN_DATA:
        old, new = ({"run_dir": "run", "data": {name: value}} for value in (1, 2))
        with pytest.raises(UserError, match=rf"^data\.{name}=2: run was trained with 1\. Leave the option out"):
            changed_options(old, new, Path("run"))
