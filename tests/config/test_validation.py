"""Tests of validating values by the names of their options, before anything is imported."""

from inspect import signature

import pytest
from conftest import ROOT
from omegaconf import OmegaConf

from vae_lightning.config.schema import FIELD_RULES, SHARED_OPTIONS
from vae_lightning.config.traversal import iter_leaves
from vae_lightning.config.validation import validate_config
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError
from vae_lightning.models import ELBOModule
from vae_lightning.models.latent_variable_model import LatentVariableModel


def test_error_names_the_option_and_the_valid_values(small):
    for override, expected in {
        "seed=-1": "an integer from 0 to 4,294,967,295",
        "seed=4294967296": "an integer from 0 to 4,294,967,295",
        "model.latent_dim=0": "an integer from 1 to 1,000,000",
        "model.latent_dim=2.5": "an integer from 1 to 1,000,000",
        "model.latent_dim=true": "an integer from 1 to 1,000,000",
        "model.conditional=yes_please": "true or false",
        "+model.beta=four": "a number >= 0",
        "+model.beta=-1": "a number >= 0",
        "+model.beta=nan": "a number >= 0",
        "+model.beta=inf": "a number >= 0",
        "model.optimizer.lr=0": "a number > 0",
        "+model.likelihood.sigma=0": "a number > 0",
        "+model.network.channels=[]": "a list of at least 1 value, each an integer from 1 to 1,000,000",
        "model.network.hidden_dims=500": "a list, each an integer from 1 to 1,000,000",
        "data.image_shape=[28,28]": r"\[channels, height, width\]",
        "data.batch_size=0": "an integer >= 1",
        "data.val_size=-5": "an integer >= 0",
        "trust=[3]": "a package, or a list of packages",
        "trainer.max_epochs=0": "an integer >= 1",
        "callbacks.warmup.epochs=-1": "an integer >= 0",
        "callbacks.warmup.steps=0": "null or an integer >= 1",
        "callbacks.warmup.ramp=1.5": "a number > 0 and <= 1",
        "monitor=nelbo": "a logged metric that starts with train/ or val/",
    }.items():
        key = override.lstrip("+").partition("=")[0]
        with pytest.raises(UserError, match=rf"^{key}=.*: must be {expected}"):
            validate_config(small(override))


def test_incompatible_options_raise(small):
    with pytest.raises(UserError, match=r"no validation set, since data.val_size=0. Set monitor=train/objective"):
        validate_config(small("data.val_size=0"))
    with pytest.raises(UserError, match=r"choose the best checkpoint by the test images.*Set monitor=train/objective"):
        validate_config(small("data.validation_split=test"))


def test_defaults_are_valid(small):
    validate_config(small())


def test_one_package_is_trusted_with_and_without_brackets(small):
    for trust in ("mine", "[mine]", "[mine,mine.other]", "[]"):
        validate_config(small(f"trust={trust}"))


def test_callback_can_have_any_name(small):
    validate_config(small("+callbacks.epochs._target_=mine.Epochs", "+logger.beta._target_=mine.Beta"))
    with pytest.raises(UserError, match=r"callbacks\.epochs\.epochs=-1: must be"):
        validate_config(
            small("+callbacks.epochs._target_=vae_lightning.callbacks.BetaWarmup", "+callbacks.epochs.epochs=-1")
        )


def test_rules_apply_to_an_own_class_only_for_options_of_all_models_and_data(small):
    own = ["model._target_=mine.Model", "+model.power=0.5", "+model.levels=3", "+model.more={rate: 0.0}"]
    validate_config(small(*own, "model.network._target_=mine.Network", "+model.network.depth=deep"))
    for override, message in {
        "model.latent_dim=0": r"model\.latent_dim=0: must be an integer",
        "model.network=mlp": r"model\.network=mlp: must be a choice of its config group.* Use model/network=mlp\.",
        "+model.prior.power=0.5": r"model\.prior\.power=0\.5: must be a number >= 1",
        "data.batch_size=0": r"data\.batch_size=0: must be an integer",
    }.items():
        with pytest.raises(UserError, match=message):
            validate_config(small(*own, "data._target_=mine.Data", override))


def test_shared_options_are_those_of_the_base_classes():
    model = {**signature(ELBOModule).parameters, **signature(LatentVariableModel).parameters}
    for group, parameters in {"model": model, "data": signature(ImageDataModule).parameters}.items():
        assert {*SHARED_OPTIONS[group]} == parameters.keys() & FIELD_RULES.keys()


def test_iter_leaves_yields_dotted_keys():
    assert dict(iter_leaves({"a": {"b": 1, "c": {"d": [2]}}, "e": None})) == {"a.b": 1, "a.c.d": [2], "e": None}
    assert dict(iter_leaves(OmegaConf.create({"a": {"b": 1}}))) == {"a.b": 1}


CHECKED_ELSEWHERE = {"accelerator", "strategy", "deterministic"}  # by Lightning
CHECKED_ELSEWHERE |= {"binarize", "covariance", "device_resident", "dtype", "estimator", "features", "gradient"}
CHECKED_ELSEWHERE |= {"inference", "kernel", "mmd_estimator", "scale_type", "schedule", "validation_split", "variant"}
CHECKED_ELSEWHERE |= {"factor", "mode", "momentum", "names"}  # by their classes; others have such options too
CHECKED_ELSEWHERE |= {"dirpath", "filename"}  # together with the location of checkpoints


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


@pytest.mark.parametrize("model", ["factor_vae", "vae_gan", "autoencoder_kl", "cvae_gan"])
@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "+trainer.accumulate_grad_batches=2",
            r"^trainer.accumulate_grad_batches=2: not available .* data.batch_size.$",
        ),
        ("+trainer.gradient_clip_val=1.0", r"^trainer.gradient_clip_val=1.0: not available for \w+"),
        (
            "+callbacks.average={_target_: lightning.pytorch.callbacks.StochasticWeightAveraging, swa_lrs: 0.1}",
            r"^callbacks.average: weight averaging is not available for \w+, which has two",
        ),
    ],
)
def test_unsupported_options_with_two_optimizers_raise(model, override, message, small):
    with pytest.raises(UserError, match=message):
        validate_config(small(f"model={model}", override))
    validate_config(small("model=vae", override))
