"""Fixture that runs a small sweep in this process."""

import sys
from pathlib import Path

import pytest
from conftest import SMALL

from vae_lightning.cli.train import main

QUIET = ["callbacks=minimal", "logger=none", "sweep=study"]
OPTIONS = [o for o in SMALL if "latent_dim" not in o and o != "~callbacks.progress_bar"] + QUIET
STUDY = Path("runs") / "sweeps" / "study"


@pytest.fixture
def run_sweep(tmp_path, monkeypatch, capsys):
    """Return a function that runs `python train.py -m ...` in this process and returns its output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        capsys.readouterr()
        given = {argument.partition("=")[0] for argument in arguments}
        options = [option for option in OPTIONS if option.partition("=")[0] not in given]
        monkeypatch.setattr(sys, "argv", ["train.py"])
        main(["-m", *options, *arguments])
        return capsys.readouterr().out

    return run
