"""Tests of learning rate schedules."""

import math

import pytest
import torch
from crashes import CrashError

from vae_lightning.config.validation import validate_config
from vae_lightning.errors import UserError
from vae_lightning.training.train import train

SCHEDULE = ["model/scheduler=multi_step", "model.scheduler.milestones=[1,2]", "model.scheduler.gamma=0.1"]


def learning_rate(run):
    return torch.load(run / "checkpoints/last.ckpt", weights_only=True)["optimizer_states"][0]["param_groups"][0]["lr"]


def test_rate_changes_after_epochs_and_resumes(small, tmp_path):
    expected = train(small(*SCHEDULE, run="whole"))
    assert learning_rate(tmp_path / "whole") == pytest.approx(1e-5)
    crash = "+callbacks.crash={_target_: crashes.CrashAt, hook: on_train_batch_start, n: 8}"
    with pytest.raises(CrashError):
        train(small(*SCHEDULE, crash, run="cut"))
    assert learning_rate(tmp_path / "cut") == pytest.approx(1e-4)
    assert train(small(*SCHEDULE, f"resume={tmp_path / 'cut'}", run="cut")) == expected


def test_resumed_run_changes_the_current_rate(small, tmp_path):
    train(small(*SCHEDULE, "trainer.max_epochs=1"))
    train(small(*SCHEDULE, "model.optimizer.lr=0.5", f"resume={tmp_path / 'run'}"))
    assert learning_rate(tmp_path / "run") == pytest.approx(0.05)


def test_default_is_the_schedule_of_burda_et_al(configuration):
    """3^i epochs at 0.001 · 10^(-i/7), i = 0, ..., 7."""
    scheduler = configuration("model/scheduler=multi_step").model.scheduler
    assert scheduler.milestones == [sum(3**i for i in range(n + 1)) for n in range(7)]
    assert scheduler.gamma == pytest.approx(10 ** (-1 / 7), rel=1e-12)
    assert sum(3**i for i in range(8)) == configuration("experiment=iwae_mnist").trainer.max_epochs
    assert math.isclose(configuration("experiment=iwae_mnist").model.optimizer.eps, 1e-4)


def test_two_optimizers_have_no_schedule(small):
    with pytest.raises(UserError, match=r"^model/scheduler: not available for FactorVAE, which has two optimizers"):
        validate_config(small("model=factor_vae", "model/scheduler=multi_step"))
