"""Tests that `latest` means the newest run or sweep under runs/."""

import os
from pathlib import Path

import pytest

from vae_lightning.errors import UserError
from vae_lightning.runs.discovery import find_evaluable_runs, newest_source, resolve_run, resolve_sweep
from vae_lightning.runs.layout import CONFIG, METRICS


@pytest.fixture
def make_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(path: str, started: int) -> Path:
        file = Path(path) / CONFIG
        file.parent.mkdir(parents=True)
        file.touch()
        os.utime(file, (started, started))
        return Path(path)

    return make


def test_latest_run_is_the_one_that_started_last(make_run):
    make_run("runs/vae-digits/2026-01-01_00-00-00", started=1)
    newest = make_run("runs/ae-digits/2026-01-01_00-00-01", started=3)
    make_run("runs/sweeps/first/model.beta=1", started=2)
    assert resolve_run("latest") == newest
    assert resolve_run("runs/vae-digits") == Path("runs/vae-digits")


def test_latest_source_is_the_newest_intact_run_that_comes_from_no_other(make_run):
    content = "run_dir: here\nmodel: {}\ndata: {}\ntrainer: {}\nprior_of: "
    for started, text in enumerate((f"{content}null\n", f"{content}null\n", f"{content}runs/a\n", "[")):
        run = make_run(f"runs/vae-digits/{started}", started)
        (run / CONFIG).write_text(text)
        os.utime(run / CONFIG, (started, started))
        (run / "checkpoints").mkdir()
        (run / "checkpoints" / "last.ckpt").touch()
    assert newest_source("prior_of") == Path("runs/vae-digits/1")


def test_latest_sweep_is_the_one_with_the_newest_job(make_run):
    make_run("runs/sweeps/first/model.beta=1", started=1)
    make_run("runs/sweeps/second/model.beta=1", started=3)
    make_run("runs/sweeps/first/model.beta=4", started=2)
    make_run("runs/vae-digits/2026-01-01_00-00-00", started=4)
    assert resolve_sweep("latest") == Path("runs/sweeps/second")


def test_latest_sweep_is_all_runs_if_there_is_no_sweep(make_run):
    make_run("runs/vae-digits/2026-01-01_00-00-00", started=1)
    assert resolve_sweep("latest") == Path("runs")


def test_evaluable_runs_are_those_that_finished_or_are_damaged(make_run):
    finished = make_run("runs/sweeps/first/model.beta=4", started=1)
    (finished / METRICS).write_text('{"test/nelbo": 1.0}')
    damaged = make_run("runs/sweeps/first/model.beta=2", started=1)
    (damaged / METRICS).write_text("{")
    unfinished = make_run("runs/sweeps/first/model.beta=1", started=2)
    assert find_evaluable_runs("runs/sweeps/first") == find_evaluable_runs("runs") == [damaged, finished]
    assert find_evaluable_runs("latest") == [unfinished]
    for path in (unfinished, "nowhere", finished / METRICS):
        assert find_evaluable_runs(path) == [Path(path)]


@pytest.mark.parametrize("resolve", [resolve_run, resolve_sweep])
def test_latest_raises_if_there_is_no_run(resolve, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^latest: there are no runs under runs/"):
        resolve("latest")
