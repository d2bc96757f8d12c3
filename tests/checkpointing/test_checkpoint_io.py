"""Checkpoints are on the disk whole or not at all; a damaged one is named, and the one before it used."""

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


def damage(path, at=None):
    """Flip one bit, in the middle unless told otherwise."""
    content = bytearray(path.read_bytes())
    at = len(content) // 2 if at is None else at
    content[at] ^= 1 << at % 8
    path.write_bytes(content)


def test_a_checkpoint_is_a_file_that_torch_reads_and_comes_back_the_same(file):
    for content in (torch.load(file, weights_only=True), load_verified(file)):
        assert torch.equal(content["weights"], torch.arange(100.0))
    assert list(file.parent.iterdir()) == [file]


def test_every_flipped_bit_is_noticed(file):
    content = file.read_bytes()
    for at in [*range(0, len(content), 7), *range(len(content) - 90, len(content))]:
        damage(file, at)
        with pytest.raises(UserError, match=r"last.ckpt: cannot be read as a checkpoint \("):
            load_verified(file)
        file.write_bytes(content)


def test_every_truncation_is_noticed(file):
    content = file.read_bytes()
    for size in [*random.Random(0).sample(range(len(content)), 50), *range(len(content) - 90, len(content))]:
        file.write_bytes(content[:size])
        with pytest.raises(UserError, match="cannot be read as a checkpoint"):
            load_verified(file)


def test_a_file_that_torch_itself_wrote_is_held_against_its_crc(tmp_path):
    path = tmp_path / "old.ckpt"
    torch.save({"weights": torch.arange(1000.0)}, path)
    assert load_verified(path)["weights"].sum() == 499500
    damage(path)
    with pytest.raises(UserError, match="its checksum is wrong"):
        load_verified(path)


def test_the_one_before_is_kept(file):
    AtomicCheckpointIO().save_checkpoint({"epoch": 2}, file)
    assert load_verified(file)["epoch"] == 2
    assert load_verified(file.with_name("previous.ckpt"))["epoch"] == 1


def test_a_full_disk_leaves_the_checkpoints_as_they_were(file):
    """A limit on the size of files stands for the disk."""
    before = file.read_bytes()
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
    try:
        with pytest.raises(UserError, match=r"last.ckpt: cannot be written \(File too large\)\. .* Free some space"):
            AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(1000.0)}, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        signal.signal(signal.SIGXFSZ, handler)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(UserError, match=r"cannot be written \((File exists|Not a directory)\)"):
        AtomicCheckpointIO().save_checkpoint({}, tmp_path / "checkpoints" / "last.ckpt")


@pytest.mark.slow
def test_killed_while_writing_leaves_the_previous_checkpoint_intact(file):
    """And the next save removes the partial file."""
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


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(small, tmp_path):
    expected = train(small(*QUICK, "trainer.max_epochs=3", run="unbroken"))
    train(small(*QUICK))
    checkpoints = tmp_path / "run" / "checkpoints"
    damage(checkpoints / "last.ckpt")
    with pytest.warns(UserWarning, match=r"last.ckpt: .* its checksum is wrong.* Resuming from .*previous.ckpt"):
        metrics = train(small(*QUICK, "trainer.max_epochs=3", f"resume={tmp_path / 'run'}"))
    assert metrics == expected
    assert load_verified(checkpoints / "last.ckpt")["epoch"] == 2


def test_a_damaged_checkpoint_does_not_become_the_one_before(file):
    AtomicCheckpointIO().save_checkpoint({"epoch": 2}, file)
    damage(file)
    AtomicCheckpointIO().save_checkpoint({"epoch": 3}, file)
    assert load_verified(file)["epoch"] == 3
    assert load_verified(file.with_name("previous.ckpt"))["epoch"] == 1


def test_without_any_whole_checkpoint_there_is_one_line(small, tmp_path):
    train(small(*QUICK))
    checkpoints = tmp_path / "run" / "checkpoints"
    for name in ("last", "previous", "best"):
        (checkpoints / f"{name}.ckpt").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"last.ckpt: .*previous.ckpt: .*best.ckpt: .* No checkpoint is intact") as told:
        train(small(f"resume={tmp_path / 'run'}"))
    assert "\n" not in str(told.value)


def test_between_two_renames_the_previous_checkpoint_is_the_last(small, tmp_path):
    expected = train(small(*QUICK, "trainer.max_epochs=3", run="unbroken"))
    train(small(*QUICK))
    (tmp_path / "run" / "checkpoints" / "last.ckpt").unlink()
    assert train(small(*QUICK, "trainer.max_epochs=3", f"resume={tmp_path / 'run'}")) == expected
