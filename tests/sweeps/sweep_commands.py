"""A small sweep in this process."""

import sys
from pathlib import Path

import pytest
from conftest import SMALL

from vae_lightning.cli.train import run_hydra

QUIET = ["callbacks=minimal", "logger=none", "sweep=study"]
UNNAMED = [o for o in SMALL if "latent_dim" not in o and o != "~callbacks.progress_bar"] + QUIET
KEYS = ",".join(o.partition("=")[0] for o in UNNAMED)
OPTIONS = [*UNNAMED, f"hydra.job.config.override_dirname.exclude_keys=[{KEYS}]"]  # for folders of short names
STUDY = Path("runs") / "sweeps" / "study"


@pytest.fixture
def type_sweep(tmp_path, monkeypatch, capsys):
    """Type `python train.py -m ...` in this process; what it printed comes back, or the SystemExit is raised."""
    monkeypatch.chdir(tmp_path)

    def typed(*arguments: str) -> str:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["train.py", "-m", *OPTIONS, *arguments])
        run_hydra()
        return capsys.readouterr().out

    return typed
