"""Tests of writing and reading checkpoints."""

import random
import resource
import signal
import subprocess
import sys

import pytest
import torch

from vae_lightning.checkpointing.checkpoint_io import AtomicCheckpointIO, load_verified
from vae_lightning.errors import UserError
from vae_lightning.training.train import train

QUICK = ["~callbacks.figures", "logger=none"]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "checkpoints" / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(100.0), "epoch": 1}, path)
    return path


def flip_bit(path, at=None):
    """Flip one bit of the byte at a position, by default in the middle of the file."""
    content = bytearray(path.read_bytes())
    at = len(content) // 2 if at is None else at
    content[at] ^= 1 << at % 8
    path.write_bytes(content)


def test_saved_checkpoint_can_be_read_by_torch(file):
    for content in (torch.load(file, weights_only=True), load_verified(file)):
        assert torch.equal(content["weights"], torch.arange(100.0))
    assert list(file.parent.iterdir()) == [file]


def test_flipped_bit_raises(file):
    content = file.read_bytes()
    for at in [*range(0, len(content), 7), *range(len(content) - 90, len(content))]:
        flip_bit(file, at)
        with pytest.raises(UserError, match=r"last.ckpt: cannot be read as a checkpoint \("):
            load_verified(file)
        file.write_bytes(content)


def test_truncated_checkpoint_raises(file):
    content = file.read_bytes()
    for size in [*random.Random(0).sample(range(len(content)), 50), *range(len(content) - 90, len(content))]:
        file.write_bytes(content[:size])
        with pytest.raises(UserError, match="cannot be read as a checkpoint"):
            load_verified(file)


def test_damaged_file_written_by_torch_save_raises(tmp_path):
    path = tmp_path / "old.ckpt"
    torch.save({"weights": torch.arange(1000.0)}, path)
    assert load_verified(path)["weights"].sum() == 499500
    flip_bit(path)
    with pytest.raises(UserError, match="its checksum is wrong"):
        load_verified(path)


def test_previous_checkpoint_is_kept(file):
    AtomicCheckpointIO().save_checkpoint({"epoch": 2}, file)
    assert load_verified(file)["epoch"] == 2
    assert load_verified(file.with_name("previous.ckpt"))["epoch"] == 1


def test_full_disk_raises_and_keeps_the_existing_checkpoint(file):
    """A limit on the size of files simulates a full disk."""
    before = file.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(UserError, match=r"last.ckpt: cannot be written \(File too large\)\. .* Free some space"):
            AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(1000.0)}, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_save_raises_if_the_directory_cannot_be_created(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(UserError, match=r"cannot be written \((File exists|Not a directory)\)"):
        AtomicCheckpointIO().save_checkpoint({}, tmp_path / "checkpoints" / "last.ckpt")


@pytest.mark.slow
def test_kill_during_save_leaves_the_existing_checkpoint_intact(file):
    """The next save removes the partial file."""
    program = f"""
import os, torch
from vae_lightning.checkpointing.checkpoint_io import AtomicCheckpointIO
os.fsync = lambda _: os.kill(os.getpid(), 9)
AtomicCheckpointIO().save_checkpoint({{"epoch": 2}}, {str(file)!r})
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    assert sorted(path.name for path in file.parent.iterdir()) == [".last.ckpt.partial", "last.ckpt"]
    assert load_verified(file)["epoch"] == 1
    AtomicCheckpointIO().save_checkpoint({"epoch": 3}, file.with_name("best.ckpt"))
    assert sorted(path.name for path in file.parent.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_resume_falls_back_to_the_previous_checkpoint_if_the_last_is_damaged(small, tmp_path):
    expected = train(small(*QUICK, "trainer.max_epochs=3", run="uninterrupted"))
    train(small(*QUICK))
    checkpoints = tmp_path / "run" / "checkpoints"
    flip_bit(checkpoints / "last.ckpt")
    with pytest.warns(UserWarning, match=r"last.ckpt: .* its checksum is wrong.* Resuming from .*previous.ckpt"):
        metrics = train(small(*QUICK, "trainer.max_epochs=3", f"resume={tmp_path / 'run'}"))
    assert metrics == expected
    assert load_verified(checkpoints / "last.ckpt")["epoch"] == 2


def test_damaged_checkpoint_does_not_replace_the_previous_one(file):
    AtomicCheckpointIO().save_checkpoint({"epoch": 2}, file)
    flip_bit(file)
    AtomicCheckpointIO().save_checkpoint({"epoch": 3}, file)
    assert load_verified(file)["epoch"] == 3
    assert load_verified(file.with_name("previous.ckpt"))["epoch"] == 1


def test_resume_without_an_intact_checkpoint_raises(small, tmp_path):
    train(small(*QUICK))
    checkpoints = tmp_path / "run" / "checkpoints"
    for name in ("last", "previous", "best"):
        (checkpoints / f"{name}.ckpt").write_bytes(b"PK")
    with pytest.raises(
        UserError, match=r"last.ckpt: .*previous.ckpt: .*best.ckpt: .* No checkpoint is intact"
    ) as error:
        train(small(f"resume={tmp_path / 'run'}"))
    assert "\n" not in str(error.value)


def test_resume_falls_back_to_the_previous_checkpoint_if_the_last_is_missing(small, tmp_path):
    expected = train(small(*QUICK, "trainer.max_epochs=3", run="uninterrupted"))
    train(small(*QUICK))
    (tmp_path / "run" / "checkpoints" / "last.ckpt").unlink()
    assert train(small(*QUICK, "trainer.max_epochs=3", f"resume={tmp_path / 'run'}")) == expected
