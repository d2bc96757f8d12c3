"""Fixture that runs a small sweep in this process."""

import sys
from pathlib import Path

import pytest
from conftest import SMALL

from vae_lightning.cli.train import run_hydra

QUIET = ["callbacks=minimal", "logger=none", "sweep=study"]
UNNAMED = [o for o in SMALL if "latent_dim" not in o and o != "~callbacks.progress_bar"] + QUIET
KEYS = ",".join(o.partition("=")[0] for o in UNNAMED)
OPTIONS = [*UNNAMED, f"hydra.job.config.override_dirname.exclude_keys=[{KEYS}]"]  # keeps directory names short
STUDY = Path("runs") / "sweeps" / "study"


@pytest.fixture
def run_sweep(tmp_path, monkeypatch, capsys):
    """Return a function that runs `python train.py -m ...` in this process and returns its output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["train.py", "-m", *OPTIONS, *arguments])
        run_hydra()
        return capsys.readouterr().out

    return run
