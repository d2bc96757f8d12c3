"""Values are checked by their names, before anything is imported."""

import pytest
from conftest import ROOT
from omegaconf import OmegaConf

from vae_lightning.config.schema import FIELD_RULES
from vae_lightning.config.traversal import iter_leaves
from vae_lightning.config.validation import validate_config
from vae_lightning.errors import UserError


def test_every_mistake_names_the_option_and_what_it_must_be(small):
    for override, wanted in {
        "seed=-1": "a whole number from 0 to 4294967295",
        "seed=4294967296": "a whole number from 0 to 4294967295",
        "model.latent_dim=0": "a whole number from 1 up",
        "model.latent_dim=2.5": "a whole number from 1 up",
        "model.latent_dim=true": "a whole number from 1 up",
        "model.conditional=yes_please": "true or false",
        "+model.beta=four": "a number from 0 up",
        "+model.beta=-1": "a number from 0 up",
        "+model.beta=nan": "a number from 0 up",
        "+model.beta=inf": "a number from 0 up",
        "model.optimizer.lr=0": "a number above 0",
        "+model.likelihood.sigma=0": "a number above 0",
        "+model.network.channels=[]": "a list of 1 or more, each a whole number from 1 up",
        "model.network.hidden_dims=500": "a list, each a whole number from 1 up",
        "data.image_shape=[28,28]": r"\[channels, height, width\]",
        "data.batch_size=0": "a whole number from 1 up",
        "data.val_size=-5": "a whole number from 0 up",
        "trainer.max_epochs=0": "a whole number from 1 up",
        "callbacks.warmup.epochs=-1": "a whole number from 0 up",
        "callbacks.warmup.steps=0": "null or a whole number from 1 up",
        "callbacks.warmup.ramp=1.5": "a number above 0, at most 1",
        "monitor=nelbo": "a logged metric of train/ or val/",
    }.items():
        key = override.lstrip("+").partition("=")[0]
        with pytest.raises(UserError, match=rf"^{key}=.*: must be {wanted}"):
            validate_config(small(override))


def test_what_does_not_fit_together_is_told(small):
    with pytest.raises(UserError, match=r"no validation set: type monitor=train/objective"):
        validate_config(small("data.val_size=0"))
    with pytest.raises(UserError, match=r"chosen by the test images.*type monitor=train/objective"):
        validate_config(small("data.validation_split=test"))


def test_the_defaults_are_allowed(small):
    validate_config(small())


def test_a_callback_may_have_any_name(small):
    validate_config(small("+callbacks.epochs._target_=mine.Epochs", "+logger.beta._target_=mine.Beta"))
    with pytest.raises(UserError, match=r"callbacks\.epochs\.epochs=-1: must be"):
        validate_config(small("+callbacks.epochs._target_=mine.Epochs", "+callbacks.epochs.epochs=-1"))


def test_leaves_are_dotted():
    assert dict(iter_leaves({"a": {"b": 1, "c": {"d": [2]}}, "e": None})) == {"a.b": 1, "a.c.d": [2], "e": None}
    assert dict(iter_leaves(OmegaConf.create({"a": {"b": 1}}))) == {"a.b": 1}


CHECKED_ELSEWHERE = {"accelerator", "strategy", "deterministic"}  # by Lightning
CHECKED_ELSEWHERE |= {
    "binarize",
    "validation_split",
    "device_resident",
    "estimator",
    "kernel",
    "kind",
    "learn",
    "schedule",
}
CHECKED_ELSEWHERE |= {"dirpath", "filename"}  # with where they are looked for


def test_every_value_in_conf_has_a_rule():
    lacking = set()
    for file in sorted((ROOT / "conf").rglob("*.yaml")):
        config = OmegaConf.to_container(OmegaConf.load(file))
        if file.relative_to(ROOT / "conf").parts[0] == "hydra":
            continue
        for key, _ in iter_leaves(config):
            group, _, name = key.rpartition(".")
            if not group.startswith(("hydra", "step_sizes")) and name not in {
                "defaults",
                *CHECKED_ELSEWHERE,
                *FIELD_RULES,
            }:
                lacking.add(f"{file.name}: {key}")
    assert not lacking
