"""Tests of learning rate schedules."""

import math

import pytest
import torch
from crashes import CrashError

from vae_lightning.errors import UserError
from vae_lightning.training.train import train

PLATEAU = [  # no objective is better by the threshold
    "model/scheduler=reduce_on_plateau",
    "model.scheduler.patience=0",
    "+model.scheduler.threshold=1e9",
    "+model.scheduler.threshold_mode=abs",
]
WITHOUT_VAL = ["data.val_size=0", "monitor=train/objective"]
RARE = [*WITHOUT_VAL, "+trainer.check_val_every_n_epoch=2"]
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


def rates(run):
    states = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["optimizer_states"]
    return [state["param_groups"][0]["lr"] for state in states]


@pytest.mark.parametrize(("scheduler", "factor"), [(SCHEDULE, 0.01), (PLATEAU, 0.25)])
def test_both_optimizers_of_an_adversarial_model_are_scheduled(scheduler, factor, small, tmp_path):
    model = ["model=aae", "model.optimizer.lr=1e-3", "model.discriminator_optimizer.lr=1e-4", "trainer.max_epochs=3"]
    expected = train(small(*model, *scheduler, run="whole"))
    assert rates(tmp_path / "whole") == pytest.approx([1e-3 * factor, 1e-4 * factor])
    crash = "+callbacks.crash={_target_: crashes.CrashAt, hook: on_train_batch_start, n: 13}"
    with pytest.raises(CrashError):
        train(small(*model, *scheduler, crash, run="cut"))
    assert train(small(*model, *scheduler, f"resume={tmp_path / 'cut'}", run="cut")) == expected


@pytest.mark.parametrize(
    ("options", "steps"), [([], 2), (["+trainer.check_val_every_n_epoch=2"], 0), (WITHOUT_VAL, 2), (RARE, 2)]
)
def test_plateau_of_the_objective_lowers_the_rate(options, steps, small, tmp_path):
    train(small(*PLATEAU, "trainer.max_epochs=3", *options))
    assert learning_rate(tmp_path / "run") == pytest.approx(1e-3 * 0.5**steps)


@pytest.mark.parametrize(
    "options", [["+trainer.max_steps=2"], ["+trainer.limit_val_batches=0", "monitor=train/objective"]]
)
def test_plateau_without_a_validation_does_not_fail(options, small):
    train(small(*PLATEAU, *options))


def test_rate_along_a_cosine_ends_at_eta_min(small, tmp_path, capsys):
    train(small("model/scheduler=cosine", "model.scheduler.eta_min=1e-5"))
    assert "continue" not in capsys.readouterr().out
    assert learning_rate(tmp_path / "run") == pytest.approx(1e-5)
    with pytest.raises(UserError, match=r"^trainer\.max_epochs=3: .*ended at epoch 2\. Start a new run, or set"):
        train(small("model/scheduler=cosine", f"resume={tmp_path / 'run'}", "trainer.max_epochs=3"))
