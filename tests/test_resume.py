"""A run that is cut off anywhere and resumed ends like one that was not."""

from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.train import train

# 2 epochs of 5 batches, a checkpoint after each batch, a warm-up that ends in the second epoch
OPTIONS = ["model=beta_vae", "callbacks.warmup.steps=7", "callbacks.last.every_n_train_steps=1"]


class CrashError(Exception):
    """Stands for whatever ends a process."""


class CrashAt(L.Callback):
    """Crash when a hook is called for the n-th time."""

    def __init__(self, hook: str, n: int) -> None:
        self.n = n
        setattr(self, hook, self.count)

    def count(self, *_: Any) -> None:
        self.n -= 1
        if self.n == 0:
            raise CrashError


def same_weights(run: Path, other: Path) -> bool:
    first, second = (torch.load(r / "checkpoints/last.ckpt", weights_only=True)["state_dict"] for r in (run, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_every_point_of_interruption_gives_the_same_weights_and_metrics(small, tmp_path):
    expected = train(small(*OPTIONS, run="unbroken"))
    points = [("on_train_batch_start", n) for n in (2, 5, 6, 8, 10)]
    points += [(hook, n) for hook in ("on_validation_start", "on_train_epoch_end") for n in (1, 2)]
    for hook, n in points:
        run = f"{hook}-{n}"
        crash = f"+callbacks.crash={{_target_: test_resume.CrashAt, hook: {hook}, n: {n}}}"
        with pytest.raises(CrashError):
            train(small(*OPTIONS, crash, run=run))
        assert train(small(*OPTIONS, f"resume={tmp_path / run}", run=run)) == expected, run
        assert same_weights(tmp_path / "unbroken", tmp_path / run), run


def test_a_longer_run_is_a_resumed_shorter_one(small, tmp_path):
    expected = train(small(run="long"))
    train(small("trainer.max_epochs=1", run="short"))
    assert train(small(f"resume={tmp_path / 'short'}/checkpoints/best.ckpt", run="short")) == expected
    assert same_weights(tmp_path / "long", tmp_path / "short")


def test_a_finished_run_that_is_resumed_keeps_its_metrics(small, tmp_path):
    expected = train(small())
    assert train(small(f"resume={tmp_path / 'run'}")) == expected


def test_the_checkpoint_of_another_model_is_refused(small, tmp_path):
    train(small("trainer.max_epochs=1"))
    with pytest.raises(UserError, match=r"model.latent_dim=5: it is 3 in .*last.ckpt"):
        train(small(f"resume={tmp_path / 'run'}", "model.latent_dim=5", run="other"))
    assert not (tmp_path / "other").exists()
    train(small(f"resume={tmp_path / 'run'}", "model.optimizer.lr=0.1"))


def test_a_damaged_checkpoint_is_named(small, tmp_path):
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes(b"PK" + bytes(1000))
    with pytest.raises(UserError, match=r"damaged.ckpt: cannot be read as a checkpoint"):
        train(small(f"resume={damaged}"))
