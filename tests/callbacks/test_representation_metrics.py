"""Tests of the metrics of the representation: their values, when they are computed, and that training is the same."""

from pathlib import Path

import pytest
import torch
from crashes import CrashError
from hydra.utils import instantiate

import vae_lightning
from vae_lightning.callbacks import RepresentationMetrics
from vae_lightning.callbacks.representation import METRICS
from vae_lightning.training.train import train

SPRITES = ["data=sprites", "data.image_shape=[1,16,16]", "data.factor_sizes=[3,2,4,4,4]"]
SPRITES += ["data.val_size=120", "data.test_size=50", "data.batch_size=64", "data.split_seed=1"]
ALL = f"callbacks.metrics.names=[{','.join(METRICS)}]"
SOME = "callbacks.metrics.names=[linear_probe,active_units]"


def checkpoint(run: Path, name: str) -> dict:
    """Load a checkpoint of a run."""
    return torch.load(run / f"checkpoints/{name}.ckpt", weights_only=True)


@pytest.mark.parametrize("callbacks", ["default", "deep"])
def test_logged_values_are_those_of_the_validated_weights(callbacks, small, tmp_path):
    """With averaged weights, these are the average, which a checkpoint contains."""
    cfg = small(*SPRITES, f"callbacks={callbacks}", "~callbacks.figures", "~callbacks.projector", ALL)
    logged = train(cfg)
    data = instantiate(cfg.data, _convert_="all")
    data.setup()
    model = vae_lightning.load(tmp_path / "run/checkpoints/last.ckpt")
    expected = RepresentationMetrics(names=METRICS).compute(model, data, 1000)
    assert expected.keys() == {f"val/{name}" for name in METRICS}
    assert {name: logged[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_training_is_the_same_with_and_without_metrics(small, tmp_path):
    options = ["data.binarize=dynamic", "trainer.max_epochs=2"]
    without, logged = train(small(*options, run="without")), train(small(*options, SOME, run="with"))
    assert logged.keys() - without.keys() == {"val/linear_probe", "val/active_units"}
    assert without.items() <= logged.items()
    weights = [checkpoint(tmp_path / run, "last")["state_dict"] for run in ("without", "with")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    ("every_n_epochs", "check_val_every_n_epoch", "expected"),
    [(1, 1, [0, 1, 2, 3, 4, 5, 6, 7]), (3, 1, [0, 1, 3, 6]), (1, 2, [0, 2, 4, 6]), (4, 2, [0, 2, 4]), (9, 1, [0, 1])],
)
def test_metrics_are_computed_at_the_first_validation_and_in_each_period(
    every_n_epochs, check_val_every_n_epoch, expected, small, monkeypatch
):
    """They are also computed before training, in epoch 0. The monitor is found at each validation."""
    epochs = []
    monkeypatch.setitem(METRICS, "knn", lambda r: epochs.append(r.model.images_seen // 1257) or 1.0)
    schedule = [f"callbacks.metrics.every_n_epochs={every_n_epochs}", "trainer.max_epochs=7", "~callbacks.collapse"]
    schedule += [f"+trainer.check_val_every_n_epoch={check_val_every_n_epoch}"]
    train(small("callbacks.metrics.names=[knn]", "monitor=val/knn", *schedule))
    assert epochs == expected


def test_run_resumed_between_two_computations_keeps_the_last_values(small, tmp_path):
    options = [SOME, "callbacks.metrics.every_n_epochs=4", "monitor=val/linear_probe", "trainer.max_epochs=3"]
    options += ["callbacks.last.every_n_train_steps=1"]
    expected = train(small(*options, run="uninterrupted"))
    for hook, n in (("on_train_batch_start", 7), ("on_validation_start", 2)):
        crash = f"+callbacks.crash={{_target_: crashes.CrashAt, hook: {hook}, n: {n}}}"
        with pytest.raises(CrashError):
            train(small(*options, crash, run=hook))
        assert train(small(*options, f"resume={tmp_path / hook}", run=hook)) == expected


def test_best_checkpoint_has_the_highest_value(small, tmp_path, monkeypatch):
    values = iter([0.0, 0.2, 0.5, 0.3, 0.4])  # the first one is computed before training
    monkeypatch.setitem(METRICS, "mig", lambda representation: next(values))
    train(small(*SPRITES, "callbacks.metrics.names=[mig]", "monitor=val/mig", "trainer.max_epochs=4"))
    best = checkpoint(tmp_path / "run", "best")
    assert best["epoch"] == 1
    assert best["metrics"]["val/mig"] == 0.5


def test_early_stopping_and_loggers_receive_the_values(small, tmp_path):
    stop = "+callbacks.stop={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/linear_probe, mode: max,"
    train(small(SOME, f"{stop} patience: 1, min_delta: 2.0}}", "logger=csv", "trainer.max_epochs=5"))
    header, *rows = (tmp_path / "run/metrics.csv").read_text().splitlines()
    column = header.split(",").index("val/linear_probe")
    assert len([row for row in rows if row.split(",")[column]]) == 2


@pytest.mark.parametrize(("names", "expected"), [(["knn"], (3, {"val/knn": 0.5})), (["knn", "mig"], (-1, {}))])
def test_run_resumed_with_other_metrics_computes_them_at_its_first_validation(names, expected):
    before, resumed = RepresentationMetrics(names=["knn"]), RepresentationMetrics(names=names)
    before.period, before.values = 3, {"val/knn": 0.5}
    resumed.load_state_dict(before.state_dict())
    assert (resumed.period, resumed.values) == expected
