"""Tests of metrics.csv."""

import csv
from pathlib import Path

import pytest
import yaml

from vae_lightning.loggers import CSV
from vae_lightning.training.train import train


def read_rows(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def curve(run: Path, name: str) -> dict[int, float]:
    return {int(row["step"]): float(row[name]) for row in read_rows(run) if row[name]}


def test_metrics_and_hyperparameters_are_written_to_the_run_directory(small, tmp_path):
    metrics = train(small("logger=csv"))
    run = tmp_path / "run"
    assert list(curve(run, "train/nelbo")) == list(curve(run, "val/nelbo")) == [1257, 2 * 1257]
    final = {name: list(curve(run, name).values())[-1] for name in metrics}
    assert final == pytest.approx(metrics)
    assert yaml.safe_load((run / "hparams.yaml").read_text())["latent_dim"] == 3
    assert not list(run.glob("events*"))


def test_resumed_run_continues_the_file(small, tmp_path):
    train(small("logger=csv", run="uninterrupted"))
    train(small("logger=csv", "trainer.max_epochs=1"))
    train(small("logger=csv", f"resume={tmp_path / 'run'}"))
    for name in ("train/nelbo", "val/nelbo"):
        assert curve(tmp_path / "run", name) == curve(tmp_path / "uninterrupted", name)
    assert yaml.safe_load((tmp_path / "run/hparams.yaml").read_text())["max_epochs"] == 2


def test_rows_after_the_step_at_which_a_run_resumes_are_dropped(tmp_path):
    first = CSV(run_dir=str(tmp_path))
    for step in (10, 20, 30):
        first.log_metrics({"a": float(step)}, step)
    first.save()
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("4")  # killed while it wrote a row
    second = CSV(run_dir=str(tmp_path))
    second.log_metrics({"b": 0.5}, 20)
    second.save()
    second.log_metrics({"a": 1.5}, 25)
    second.save()
    rows = read_rows(tmp_path)
    assert [(row["a"], row["b"], row["step"]) for row in rows] == [
        ("10.0", "", "10"),
        ("20.0", "", "20"),
        ("", "0.5", "20"),
        ("1.5", "", "25"),
    ]
