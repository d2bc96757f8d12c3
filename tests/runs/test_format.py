"""Tests of the format of a run's files, and of migrating names from version 1."""

import inspect
from pathlib import Path

import pytest
from hydra.utils import get_class

from vae_lightning.errors import UserError
from vae_lightning.runs.format import (
    FORMAT_VERSION,
    RENAMED_TARGETS,
    add_old_defaults,
    check_version,
    migrate_config,
    migrate_override,
)

OLD = {
    "model": {
        "_target_": "vae_lightning.models.VQVAE",
        "num_codes": 64,
        "likelihood": {"learn": "none", "sigma": 0.1},
        "prior": {"_target_": "vae_lightning.distributions.StandardNormal", "_partial_": True},
    },
    "data": {"val_share": 0.1, "test_share": 0.2, "validate_on": "val", "kind": "mine"},
    "callbacks": {
        "figures": {"while_training": ["samples"], "at_end": []},
        "warmup": {"_target_": "vae_lightning.callbacks.Warmup"},
        "projector": None,
        "mine": {"_target_": "my_callbacks.Steps", "rates": {100: 0.1}},
    },
    "trainer": {"profiler": {"_target_": "vae_lightning.machine.NoProfiler"}, "devices": [0, 1]},
}
NEW = {
    "model": {
        "_target_": "vae_lightning.models.VQVAE",
        "codebook_size": 64,
        "likelihood": {"scale_type": "fixed", "sigma": 0.1},
        "prior": {"_target_": "vae_lightning.priors.UniformCodes", "_partial_": True},
    },
    "data": {"val_fraction": 0.1, "test_fraction": 0.2, "validation_split": "val", "kind": "mine"},
    "callbacks": {
        "figures": {"periodic": ["samples"], "final": []},
        "warmup": {"_target_": "vae_lightning.callbacks.BetaWarmup"},
        "projector": None,
        "mine": {"_target_": "my_callbacks.Steps", "rates": {100: 0.1}},
    },
    "trainer": {"profiler": {"_target_": "vae_lightning.training.performance.NullProfiler"}, "devices": [0, 1]},
}


def test_migrate_config_renames_keys_and_classes_of_version_1():
    assert migrate_config(OLD) == NEW


def test_migrate_config_does_not_change_a_current_configuration():
    assert migrate_config(NEW) == NEW


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model.num_codes=32", "model.codebook_size=32"),
        ("model.likelihood.learn=none", "model.likelihood.scale_type=fixed"),
        ("model.likelihood.learn=pixel", "model.likelihood.scale_type=pixel"),
        ("++data.val_share=0.5", "++data.val_fraction=0.5"),
        ("~callbacks.figures.at_end", "~callbacks.figures.final"),
        ("model=dip_vae", "model=dip_vae"),
    ],
)
def test_migrate_override_renames_keys_of_version_1(old, new):
    assert migrate_override(old) == new


@pytest.mark.parametrize(
    ("saved", "config", "expected"),
    [
        (["data=mnist"], {"latent_dim": 64}, ["model/network=conv", "model.latent_dim=64", "data=mnist"]),
        (["model.latent_dim=8"], {"latent_dim": 8}, ["model/network=conv", "model.latent_dim=8"]),
        (["model/network=conv"], {"latent_dim": 64}, ["model.latent_dim=64", "model/network=conv"]),
    ],
)
def test_old_defaults_of_vq_vae_precede_the_overrides(saved, config, expected):
    network = {"_target_": "vae_lightning.networks.Conv"}
    model = {"_target_": "vae_lightning.models.VQVAE", "network": network, **config}
    assert add_old_defaults(saved, {"model": model}) == expected
    assert add_old_defaults(saved, {"model": {**model, "_target_": "vae_lightning.models.VAE"}}) == saved
    current = {**model, "network": {"_target_": "vae_lightning.networks.SpatialResNet"}, "latent_dim": 4}
    assert "model/network=conv" not in add_old_defaults(["data=mnist"], {"model": current})


@pytest.mark.parametrize(
    ("network", "activation", "defaults"), [("MLP", "Tanh", ["model.code_activation=Tanh"]), ("Conv", "Identity", [])]
)
def test_autoencoders_keep_the_activation_that_their_network_had(network, activation, defaults):
    old = {
        "model": {"_target_": "vae_lightning.models.AE", "network": {"_target_": f"vae_lightning.networks.{network}"}}
    }
    config = migrate_config(old)
    assert config["model"]["code_activation"] == activation
    assert add_old_defaults(["data=mnist"], config) == [*defaults, "data=mnist"]


def test_every_renamed_class_exists():
    assert all(inspect.isclass(get_class(target)) for target in RENAMED_TARGETS.values())


def test_newer_version_raises():
    check_version({}, Path("old.ckpt"))
    check_version({"format_version": FORMAT_VERSION}, Path("last.ckpt"))
    with pytest.raises(UserError, match=r"^last.ckpt: written in format 9, .* up to format 2. Upgrade vae_lightning.$"):
        check_version({"format_version": 9}, Path("last.ckpt"))
