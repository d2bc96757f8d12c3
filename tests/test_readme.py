"""What the README says of networks and data sets of one's own, typed as it says, from files outside the package."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, SMALL

import vae_lightning


def section(heading: str) -> list[str]:
    """The code and the configuration that the README gives under a heading."""
    text = (ROOT / "README.md").read_text().partition(f"## {heading}")[2].partition("\n## ")[0]
    return re.findall(r"```(?:python|yaml)\n(.*?)```", text, flags=re.DOTALL)


def put(folder: Path, module: str, config: str, blocks: list[str]) -> None:
    """Write them outside the package: a module, and a file of a configuration folder of one's own."""
    code, yaml = blocks
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    (folder / module).write_text(code)
    path = folder / "conf" / config
    path.parent.mkdir(parents=True)
    path.write_text(yaml)


def train(folder: Path, *arguments: str) -> None:
    """Type `python train.py` in the folder, with small settings."""
    command = [sys.executable, str(ROOT / "train.py"), "--config-dir", "conf", *arguments, "hydra.run.dir=run"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_network_of_ones_own_trains_and_comes_back(tmp_path, monkeypatch):
    put(tmp_path, "my_networks.py", "model/network/pooled.yaml", section("Your own network"))
    train(tmp_path, "model=cvae", "model/network=pooled", *[option for option in SMALL if "network" not in option])
    monkeypatch.syspath_prepend(tmp_path)
    model = vae_lightning.load(tmp_path / "run", trust=("my_networks",))
    assert model.sample(2, torch.tensor([3, 4])).shape == (2, 1, 8, 8)


@pytest.mark.slow
def test_a_data_set_of_ones_own_trains(tmp_path):
    put(tmp_path, "my_data.py", "data/noise.yaml", section("Your own images"))
    train(tmp_path, "data=noise", *SMALL)
    assert vae_lightning.load(tmp_path / "run").sample(2).shape == (2, 1, 8, 8)
