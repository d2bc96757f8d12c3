"""Tests that each run has its own directory, and that `resume=auto` finds the right one."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT, SMALL

from vae_lightning.config.overrides import expand_resume
from vae_lightning.runs.discovery import find_newest_run
from vae_lightning.runs.layout import create_unique_dir, find_checkpoint


def make_run(run_dir: Path, *overrides: str, checkpoint: str | None = "last.ckpt") -> Path:
    (run_dir / ".hydra").mkdir(parents=True)
    (run_dir / ".hydra" / "overrides.yaml").write_text("".join(f"- {override}\n" for override in overrides) or "[]\n")
    if checkpoint:
        (run_dir / "checkpoints").mkdir()
        (run_dir / "checkpoints" / checkpoint).touch()
    return run_dir


def test_runs_started_in_the_same_second_have_different_directories(tmp_path):
    path = str(tmp_path / "runs" / "vae-digits" / "2026-01-31_12-00-00")
    with ThreadPoolExecutor(8) as threads:
        created = list(threads.map(create_unique_dir.__wrapped__, [path] * 20))
    assert sorted(created) == sorted([path, *(f"{path}~{n}" for n in range(2, 21))])
    assert create_unique_dir(path) == create_unique_dir(path) == f"{path}~21"


@pytest.mark.parametrize(
    ("preferred", "order"), [("best", ["best", "last", "previous"]), ("last", ["last", "previous", "best"])]
)
def test_missing_checkpoint_is_replaced_by_the_newest(preferred, order, tmp_path):
    make_run(tmp_path / "run", checkpoint=None)
    for name in reversed(order):
        checkpoint = tmp_path / "run" / "checkpoints" / f"{name}.ckpt"
        checkpoint.parent.mkdir(exist_ok=True)
        checkpoint.touch()
        assert find_checkpoint(tmp_path / "run", preferred) == checkpoint


def test_resume_auto_finds_the_newest_run_with_the_same_overrides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_newest_run(["seed=1"]) is None
    runs = Path("runs/vae-digits")
    make_run(runs / "2026-01-01_00-00-00", "model=vae", "seed=1")
    make_run(runs / "2026-01-02_00-00-00~9", "model=vae", "seed=1")
    newest = make_run(runs / "2026-01-02_00-00-00~10", "seed=1", "resume=auto", "model=vae", checkpoint="previous.ckpt")
    make_run(runs / "2026-01-03_00-00-00", "model=vae", "seed=2")
    make_run(runs / "2026-01-04_00-00-00", "model=vae", "seed=1", checkpoint=None)
    assert find_newest_run(["model=vae", "seed=1"]) == newest
    assert find_newest_run([]) is None

    last = make_run(runs / "2026-01-05_00-00-00", "model=vae", "seed=1").absolute()
    assert expand_resume(["model=vae", "resume=auto", "seed=1"]) == [
        "model=vae",
        "seed=1",
        f"resume='{last / 'checkpoints' / 'last.ckpt'}'",
        f"hydra.run.dir='{last}'",
    ]
    arguments = ["--config-dir", "mine", "model=vae", "resume=auto", "seed=1"]  # a flag's value is not an override
    assert expand_resume(arguments)[-1] == f"hydra.run.dir='{last}'"
    assert expand_resume(["seed=3", "resume=auto"]) == ["seed=3"]


@pytest.mark.slow
def test_resume_auto_starts_a_run_and_then_resumes_it(tmp_path):
    small = [override for override in SMALL if "progress_bar" not in override]
    command = [sys.executable, str(ROOT / "train.py"), *small, "callbacks=minimal", "logger=none", "resume=auto"]
    for times in (1, 2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        assert len(list((tmp_path / "runs" / "small").iterdir())) == 1, times
        assert ("resuming from epoch 2" in done.stdout) == (times == 2)
