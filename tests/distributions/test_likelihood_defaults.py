"""Tests that the default arguments of likelihoods, priors and posteriors equal those of the files in conf/."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from omegaconf import OmegaConf

from vae_lightning import distributions, posteriors, priors
from vae_lightning.distributions import Likelihood, Posterior, Prior

PACKAGES = (distributions, posteriors, priors)
PRESETS = {"absolute_error", "squared_error"}  # likelihoods with other options than their defaults
FILES = sorted(
    file
    for group in ("likelihood", "prior", "posterior")
    for file in (ROOT / "conf/model" / group).glob("*.yaml")
    if file.stem not in PRESETS
)


def load(file: Path) -> tuple[type, dict[str, Any]]:
    """Return the class of a YAML file and the options that do not depend on the data."""
    options = OmegaConf.to_container(OmegaConf.load(file))
    options.pop("defaults", None)
    package, _, name = options.pop("_target_").rpartition(".")
    packages = {module.__name__: module for module in PACKAGES}
    cls = getattr(packages[package], name)
    options.pop("_partial_", None)
    return cls, {name: value for name, value in options.items() if not str(value).startswith("${data.")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_defaults_equal_the_yaml_file(file):
    cls, options = load(file)
    parameters = inspect.signature(cls).parameters
    defaults = {name: parameters[name].default for name in options}
    assert {k: list(v) if isinstance(v, tuple) else v for k, v in defaults.items()} == options
    if issubclass(cls, Likelihood):  # the file lists every option, and none is required
        arguments = {name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
        assert arguments - {"image_shape", "pixels"} == set(options)
        cls(**{"image_shape": (3, 32, 32)} if "image_shape" in arguments else {})


def test_every_likelihood_prior_and_posterior_has_a_yaml_file():
    exported = [getattr(package, name) for package in (distributions, priors) for name in package.__all__]
    own = [cls for cls in exported if inspect.isclass(cls) and issubclass(cls, Likelihood | Prior)]
    classes = {*own} - {Likelihood, Prior}
    classes |= {cls for name in posteriors.__all__ if issubclass(cls := getattr(posteriors, name), Posterior)}
    assert {load(file)[0] for file in FILES} == classes
