"""Tests of atomic writing: an error never leaves a partial file."""

import os
import stat
from pathlib import Path

import pytest

from vae_lightning.io.atomic import atomic_write, atomic_writer


def test_atomic_write_replaces_an_existing_file(tmp_path):
    path = tmp_path / "metrics.json"
    atomic_write("old", path)
    atomic_write(b"new", path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"metrics.json": "new"}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_error_keeps_the_old_file_and_removes_the_new_one(step, tmp_path, monkeypatch):
    def raise_error(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "metrics.json"
    atomic_write("old", path)
    monkeypatch.setattr("os.fsync" if step == "fsync" else "pathlib.Path.replace", raise_error)
    with pytest.raises(OSError, match="No space left"):
        atomic_write("new", path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"metrics.json": "old"}


def test_atomic_writer_replaces_the_file_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "last.ckpt"
    atomic_write("old", path)
    with atomic_writer(b"new", path):
        assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["new", "old"]
    with pytest.raises(KeyboardInterrupt), atomic_writer(b"newer", path):
        raise KeyboardInterrupt
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"last.ckpt": "new"}


@pytest.mark.skipif(os.name != "posix", reason="needs directories that can be synchronized")
def test_content_is_on_the_disk_before_the_name_and_both_at_the_end(tmp_path, monkeypatch):
    """So after a power failure the file is the old one or the new one, and the new one if the function has returned."""
    steps, fsync, replace = [], os.fsync, Path.replace

    def record_fsync(descriptor):
        status = os.fstat(descriptor)
        steps.append("directory" if stat.S_ISDIR(status.st_mode) else f"{status.st_size} bytes")
        fsync(descriptor)

    monkeypatch.setattr("os.fsync", record_fsync)
    monkeypatch.setattr("pathlib.Path.replace", lambda *paths: steps.append("rename") or replace(*paths))
    atomic_write("new", tmp_path / "metrics.json")
    assert steps == ["3 bytes", "rename", "directory"]
