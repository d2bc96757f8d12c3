"""Each run has a folder of its own, and `resume=auto` finds the right one."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import ROOT, SMALL

from vae_lightning.config.overrides import expand_resume
from vae_lightning.runs.discovery import find_newest_run
from vae_lightning.runs.layout import create_unique_dir


def make_run(folder: Path, *typed: str, checkpoint: str | None = "last.ckpt") -> Path:
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("".join(f"- {option}\n" for option in typed) or "[]\n")
    if checkpoint:
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / checkpoint).touch()
    return folder


def test_runs_of_one_second_have_folders_of_their_own(tmp_path):
    path = str(tmp_path / "runs" / "vae-digits" / "2026-01-31_12-00-00")
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(create_unique_dir.__wrapped__, [path] * 20))
    assert sorted(made) == sorted([path, *(f"{path}~{n}" for n in range(2, 21))])
    assert create_unique_dir(path) == create_unique_dir(path) == f"{path}~21"


def test_the_newest_run_of_the_same_options_is_found(tmp_path, monkeypatch):
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
    assert expand_resume(["seed=3", "resume=auto"]) == ["seed=3"]


@pytest.mark.slow
def test_resume_auto_starts_a_run_and_goes_on_with_it(tmp_path):
    small = [override for override in SMALL if "progress_bar" not in override]
    command = [sys.executable, str(ROOT / "train.py"), *small, "callbacks=minimal", "logger=none", "resume=auto"]
    for times in (1, 2):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        assert len(list((tmp_path / "runs" / "small").iterdir())) == 1, times
