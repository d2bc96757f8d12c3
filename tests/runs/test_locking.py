"""Tests that two processes do not train in the same run directory."""

import pytest

from vae_lightning.errors import UserError
from vae_lightning.runs.locking import RunInUse, exclusive
from vae_lightning.training.train import train


def test_second_lock_is_refused_until_the_first_is_released(tmp_path):
    with exclusive(tmp_path / "run"):
        (tmp_path / "run" / "file").touch()
        with (
            pytest.raises(RunInUse, match=r"run: another process trains this run\. Wait until it ends"),
            exclusive(tmp_path / "run"),
        ):
            pass
    with exclusive(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / "file").is_file()


def test_directory_without_files_is_removed(tmp_path):
    with exclusive(tmp_path / "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_run_that_another_process_trains_is_left_alone(small, tmp_path):
    train(small("trainer.max_epochs=1"))
    before = {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()}
    with exclusive(tmp_path / "run"), pytest.raises(UserError, match="another process trains this run"):
        train(small(f"resume={tmp_path / 'run'}"))
    assert {file: file.read_bytes() for file in (tmp_path / "run").rglob("*") if file.is_file()} == before
