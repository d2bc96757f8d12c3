"""Tests that the examples of docs/extending.md work outside the package, and that lists of choices are complete."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import OF_A_RUN, ROOT, SMALL

import vae_lightning


def section(heading: str) -> list[str]:
    """Return the code and the configuration under a heading of docs/extending.md."""
    text = (ROOT / "docs/extending.md").read_text().partition(f"## {heading}")[2].partition("\n## ")[0]
    return re.findall(r"```(?:python|yaml)\n(.*?)```", text, flags=re.DOTALL)


def test_every_model_likelihood_and_posterior_is_listed():
    text = (ROOT / "docs/models.md").read_text()
    listed = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?`) \|", text, flags=re.MULTILINE))))
    groups = ("model", "model/likelihood", "model/posterior")
    choices = {file.stem for group in groups for file in (ROOT / "conf" / group).glob("*.yaml")}
    assert listed == choices - OF_A_RUN
    families = (ROOT / "README.md").read_text().partition("## Models")[2].partition("\n\n[docs/models.md]")[0]
    assert set(re.findall(r"`(\w+)`", families)) == {f.stem for f in (ROOT / "conf/model").glob("*.yaml")} - OF_A_RUN


def write_example(directory: Path, module: str, config: str, blocks: list[str]) -> None:
    """Write the code to a module, and the configuration to a file in conf/ of the directory."""
    code, yaml = blocks
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    (directory / module).write_text(code)
    path = directory / "conf" / config
    path.parent.mkdir(parents=True)
    path.write_text(yaml)


def run_train(directory: Path, *arguments: str) -> None:
    """Run `python train.py ...` in a directory."""
    run_command(directory, str(ROOT / "train.py"), "--config-dir", "conf", *arguments, "hydra.run.dir=run")


def run_command(directory: Path, *arguments: str) -> None:
    """Run `python ...` in a directory, where its modules can be imported."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": f"{directory}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_custom_network_and_likelihood_train_and_load(tmp_path, monkeypatch):
    write_example(tmp_path, "my_networks.py", "model/network/pooled.yaml", section("A network"))
    write_example(tmp_path, "my_likelihoods.py", "model/likelihood/student.yaml", section("A likelihood"))
    options = [option for option in SMALL if "network" not in option]
    run_train(tmp_path, "model=cvae", "model/network=pooled", "model/likelihood=student", *options)
    monkeypatch.syspath_prepend(tmp_path)
    model = vae_lightning.load(tmp_path / "run", trust=["my_networks", "my_likelihoods"])
    y = torch.tensor([3, 4])
    assert model.sample(2, y).shape == (2, 1, 8, 8)
    images, x = model.decode(torch.zeros(2, 3), y), torch.rand(2, 1, 8, 8)
    expected = torch.distributions.StudentT(5.0, images.mean, 0.1).log_prob(x).sum((1, 2, 3))
    torch.testing.assert_close(images.log_prob(x), expected)
    assert images.sample().shape == x.shape


@pytest.mark.slow
def test_custom_regularizer_is_swept_and_reported(tmp_path):
    write_example(tmp_path, "my_models.py", "model/sparse_vae.yaml", section("A regularizer"))
    options = ["-m", "sweep=sparse", "model=sparse_vae", "model.gamma=0,3", *SMALL, "callbacks=minimal"]
    run_command(tmp_path, str(ROOT / "train.py"), "--config-dir", "conf", *options)
    run_command(tmp_path, "-m", "vae_lightning", "report", "--trust", "my_models", "latest")
    folder = tmp_path / "runs" / "sweeps" / "sparse" / "report"
    assert {file.name for file in folder.glob("*.png")} >= {"against_gamma.png", "compare_samples.png"}
    with (folder / "runs.csv").open() as file:
        l1 = {row["gamma"]: float(row["test/l1"]) for row in csv.DictReader(file)}
    assert 0 < l1["3"] < l1["0"]


@pytest.mark.slow
def test_custom_data_set_trains(tmp_path):
    write_example(tmp_path, "my_data.py", "data/noise.yaml", section("A data set"))
    run_train(tmp_path, "data=noise", *SMALL)
    assert vae_lightning.load(tmp_path / "run").sample(2).shape == (2, 1, 8, 8)
