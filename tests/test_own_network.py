"""What the README says of a network of one's own, typed as it says, from files outside the package."""

import os
import re
import subprocess
import sys

import pytest
import torch
from conftest import ROOT, SMALL

import vae_lightning


@pytest.mark.slow
def test_the_readmes_network_trains_and_comes_back(tmp_path, monkeypatch):
    section = (ROOT / "README.md").read_text().partition("## Your own network")[2].partition("\n## ")[0]
    (code, yaml) = re.findall(r"```(?:python|yaml)\n(.*?)```", section, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    (tmp_path / "my_networks.py").write_text(code)
    conf = tmp_path / "conf" / "model" / "network"
    conf.mkdir(parents=True)
    (conf / "pooled.yaml").write_text(yaml)

    options = [option for option in SMALL if "network" not in option]
    command = [sys.executable, str(ROOT / "train.py"), "--config-dir", "conf", "model/network=pooled", *options]
    done = subprocess.run(
        [*command, "model=cvae", "hydra.run.dir=run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    monkeypatch.syspath_prepend(tmp_path)
    model = vae_lightning.load(tmp_path / "run", trust=("my_networks",))
    assert model.sample(2, torch.tensor([3, 4])).shape == (2, 1, 8, 8)
