"""Tests of mistakes in every option: a typo, a superfluous `+`, a wrong group. `make fuzz` makes more of each."""

import os
import random
import re

import pytest
from conftest import ROOT
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf

from vae_lightning.config.error_reporting import format_error
from vae_lightning.config.overrides import normalize
from vae_lightning.config.schema import TRAINER_OPTIONS
from vae_lightning.config.traversal import iter_leaves

ROUNDS = int(os.environ.get("FUZZ", "1"))
CHOICES = ["model=beta_tcvae", "data=image_folder", "data.root=photos"]


def compose_config(*overrides: str) -> dict:
    """Compose a configuration as the command line does."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", normalize(["run_dir=here", *CHOICES, *overrides]))
    return OmegaConf.to_container(cfg)


def error_line(override: str) -> str:
    """Return the error of an override."""
    with pytest.raises(HydraException) as error:
        compose_config(override)
    line = format_error(error.value, [*CHOICES, override])
    assert "\n" not in line
    return line


LEAVES = {key: value for key, value in iter_leaves(compose_config()) if not key.rpartition(".")[2].startswith("_")}
OPTIONS = [*LEAVES, *(f"trainer.{name}" for name in TRAINER_OPTIONS)]


def misspell(name: str, rng: random.Random) -> str:
    """Return a name with a letter removed, doubled or replaced, or with two letters exchanged."""
    i = rng.randrange(len(name) - 1)
    return rng.choice(
        [
            name[:i] + name[i + 1 :],
            name[:i] + name[i] * 2 + name[i + 1 :],
            name[:i] + name[i + 1] + name[i] + name[i + 2 :],
        ]
    )


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_typo_is_answered_with_the_option(seed):
    rng = random.Random(seed)
    for key in rng.sample(OPTIONS, 10):
        group, dot, name = key.rpartition(".")
        typo = f"{group}{dot}{misspell(name, rng)}"
        if typo not in OPTIONS:
            line = error_line(f"{typo}=1")
            assert line.startswith(f"{typo}: no such option. "), line
            assert key in re.split(r"[ ,.?]* |[?.]$", line.partition(". ")[2]), line


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_option_of_a_wrong_group_is_answered_with_the_right_one(seed):
    rng = random.Random(seed)
    for key in rng.sample(list(LEAVES), 10):
        name = key.rpartition(".")[2]
        wrong = f"{rng.choice(['model', 'data', 'trainer'])}.{name}"
        if wrong not in OPTIONS:
            line = error_line(f"{wrong}=1")
            assert name in line.partition(". ")[2], line


def test_superfluous_plus_changes_nothing():
    plain = {key: value for key, value in LEAVES.items() if not (isinstance(value, str) and "${" in value)}
    options = [f"+{key}={'null' if value is None else value}".replace("'", "") for key, value in plain.items()]
    groups = [
        "+model=beta_tcvae",
        "+data=image_folder",
        "+trainer=default",
        "+callbacks=default",
        "+logger=tensorboard",
    ]
    assert compose_config(*options, *groups) == compose_config()
