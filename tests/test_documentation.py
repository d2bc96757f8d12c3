"""Tests that the examples of docs/extending.md work outside the package, and that lists of choices are complete."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import scipy.stats
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
    assert len([line for line in code.splitlines() if line.strip()]) <= 22
    (directory / module).write_text(code)
    path = directory / "conf" / config
    path.parent.mkdir(parents=True, exist_ok=True)
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
    write_example(tmp_path, "my_data.py", "data/noise.yaml", section("A dataset"))
    run_train(tmp_path, "data=noise", *SMALL)
    assert vae_lightning.load(tmp_path / "run").sample(2).shape == (2, 1, 8, 8)


@pytest.mark.slow
def test_custom_loss_posterior_and_prior_train_and_load(tmp_path, monkeypatch):
    write_example(tmp_path, "my_guided.py", "model/guided_vae.yaml", section("A loss term and another network"))
    write_example(tmp_path, "my_posteriors.py", "model/posterior/laplace.yaml", section("A posterior"))
    write_example(tmp_path, "my_priors.py", "model/prior/laplace.yaml", section("A prior"))
    run_train(tmp_path, "model=guided_vae", "model/posterior=laplace", "model/prior=laplace", *SMALL)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    expected = metrics["test/nelbo"] + metrics["test/classification"]
    assert metrics["test/objective"] == pytest.approx(expected, rel=1e-5)
    monkeypatch.syspath_prepend(tmp_path)
    model = vae_lightning.load(tmp_path / "run", trust=["my_guided", "my_posteriors", "my_priors"])
    x, noise = torch.rand(500, 1, 8, 8), torch.linspace(-5, 5, 1500, dtype=torch.float64).view(500, 3)
    q, p, z = model.double().infer(x.double(), noise=noise)
    exact = q.loc + q.scale * torch.from_numpy(scipy.stats.laplace.ppf(scipy.stats.norm.cdf(noise)))
    torch.testing.assert_close(z, exact, rtol=1e-6, atol=1e-6)
    first = type(q)(q.loc[:1], q.scale[:1])
    draws = first.expand((100_000, 3)).rsample()
    estimate = (first.log_prob(draws) - p.log_prob(draws)).mean().item()
    assert q.kl(p)[0].item() == pytest.approx(estimate, abs=0.02)
    assert model.float().log_px(x[:2].float(), samples=10).isfinite().all()
    assert model.sample(2).shape == (2, 1, 8, 8)


@pytest.mark.slow
def test_custom_callback_and_metric_reach_the_report(tmp_path):
    write_example(tmp_path, "my_callbacks.py", "callbacks/sparsity.yaml", section("A callback and a metric"))
    options = [option for option in SMALL if "progress_bar" not in option]
    monitored = ["callbacks=sparsity", "monitor=val/sparsity", "callbacks.best.mode=max", "callbacks.figures.final=[]"]
    run_train(tmp_path, *monitored, *options)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert 0 <= metrics["test/sparsity"] <= 1
    run_command(tmp_path, "-m", "vae_lightning", "report", "run")
    with (tmp_path / "run" / "report" / "runs.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["test/sparsity"]) == pytest.approx(metrics["test/sparsity"])


@pytest.mark.slow
def test_custom_figure_and_metric_of_a_trained_model(tmp_path):
    write_example(tmp_path, "my_figures.py", "callbacks/own_figures.yaml", section("A figure"))
    (tmp_path / "my_metrics.py").write_text("".join(section("A metric of a trained model")))
    run_train(tmp_path, "callbacks=own_figures", *SMALL)
    figure = tmp_path / "run" / "figures" / "posterior_means.png"
    figure.unlink()
    command = ["-m", "vae_lightning"]
    run_command(tmp_path, *command, "figures", "run", "--only", "my_figures.posterior_means", "--trust", "my_figures")
    assert figure.is_file()
    run_command(tmp_path, *command, "evaluate", "run", "--only", "my_metrics.sparsity", "--trust", "my_figures")
    run_command(tmp_path, *command, "report", "run", "--trust", "my_figures")
    with (tmp_path / "run" / "report" / "runs.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert 0 <= float(row["sparsity/near_zero"]) <= 1
