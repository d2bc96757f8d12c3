"""A file is the old one or the new one, at every moment and after every error."""

import pytest

from vae_lightning.io.atomic import atomic_write, atomic_writer


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    path = tmp_path / "metrics.json"
    atomic_write("old", path)
    atomic_write(b"new", path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"metrics.json": "new"}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_an_error_leaves_the_old_file_and_nothing_else(step, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "metrics.json"
    atomic_write("old", path)
    monkeypatch.setattr("os.fsync" if step == "fsync" else "pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space left"):
        atomic_write("new", path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"metrics.json": "old"}


def test_inside_the_block_both_are_there(tmp_path):
    path = tmp_path / "last.ckpt"
    atomic_write("old", path)
    with atomic_writer(b"new", path):
        assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["new", "old"]
    with pytest.raises(KeyboardInterrupt), atomic_writer(b"newer", path):
        raise KeyboardInterrupt
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"last.ckpt": "new"}
