"""Tests that the default arguments of regularizers equal those of the models in conf/model/."""

import inspect

import pytest
from conftest import ROOT
from omegaconf import OmegaConf

from vae_lightning.regularizers import (
    DIP,
    MMD,
    AdversarialMatching,
    Capacity,
    DensityRatio,
    Discriminator,
    FreeBits,
    JointCapacity,
    LookupFreeQuantization,
    Quantization,
    SlicedWasserstein,
    TotalCorrelation,
    Triplets,
)

# The YAML files of the models that use a class.
MODELS = {
    AdversarialMatching: ["aae"],
    Capacity: ["annealed_vae"],
    JointCapacity: ["joint_vae"],
    DIP: ["dip_vae"],
    FreeBits: ["free_bits_vae"],
    DensityRatio: ["factor_vae"],
    Discriminator: ["factor_vae"],
    MMD: ["info_vae", "wae"],
    LookupFreeQuantization: ["lfq_vae"],
    Quantization: ["vq_vae", "rvq_vae"],
    SlicedWasserstein: ["swae"],
    TotalCorrelation: ["beta_tcvae"],
    Triplets: ["tvae"],
}
OPTION_NAMES = {"hidden_dims": "discriminator_dims"}  # options whose names differ from the argument


@pytest.mark.parametrize("cls", MODELS)
def test_defaults_equal_the_yaml_file(cls):
    parameters = inspect.signature(cls).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
    assert defaults
    for model in MODELS[cls]:
        config = OmegaConf.to_container(OmegaConf.load(ROOT / "conf/model" / f"{model}.yaml"))
        for name, default in defaults.items():
            value = config[OPTION_NAMES.get(name, name)]
            assert (list(default) if isinstance(default, tuple) else default) == value, f"{model}: {name}"
