"""Tests of the progress bar, and that training does not wait for the device."""

import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from conftest import SMALL

from vae_lightning.callbacks import ProgressBar, progress, terminate_on_nan
from vae_lightning.models import VAE, ELBOModule
from vae_lightning.training.train import train

READS = ("item", "tolist", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__")


@pytest.mark.parametrize("model", ["beta_tcvae", "factor_vae", "dip_vae", "vq_vae"])
def test_training_steps_read_nothing_from_the_device(configuration, monkeypatch, model):
    """The CPU stands in for a GPU, on which each of these reads would make the host wait."""
    reads, reads_at_step, step = 0, [], ELBOModule.accumulate_metrics

    def count(read, *args):
        nonlocal reads
        reads += 1
        return read(*args)

    def accumulate(self, *args):
        reads_at_step.append(reads)
        step(self, *args)

    for name in READS:
        read = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda *args, _read=read: count(_read, *args))
    monkeypatch.setattr(ELBOModule, "accumulate_metrics", accumulate)
    monkeypatch.setattr(terminate_on_nan, "SYNCHRONOUS_DEVICES", ())
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 1.0))  # so it is time to draw only once
    small = [override for override in SMALL if "progress_bar" not in override]
    more = ["data.batch_size=16", "trainer.max_epochs=1", "model.latent_dim=4", "~callbacks.figures"]
    train(configuration(*small, *more, f"model={model}", "callbacks.progress_bar.display=rich"))
    waits = [after > before for before, after in pairwise(reads_at_step)]
    assert len(waits) > 70
    assert sum(waits) == 1 + len(waits) // 20  # the first drawing, and each check for NaN


SHOWN = [override for override in SMALL if "progress_bar" not in override] + [
    "~callbacks.figures",
    "~callbacks.projector",
]


def trainer_at(epoch, batch, max_epochs=-1, max_steps=-1, callbacks=()):
    loop = SimpleNamespace(batch_progress=SimpleNamespace(current=SimpleNamespace(ready=batch)))
    return SimpleNamespace(
        fit_loop=SimpleNamespace(epoch_loop=loop),
        current_epoch=epoch,
        num_training_batches=10,
        global_step=10 * epoch + batch,
        max_epochs=max_epochs,
        max_steps=max_steps,
        callbacks=callbacks,
    )


def test_values_include_the_mean_loss_of_the_epoch_so_far(parts):
    bar, model = ProgressBar(), VAE(**parts)
    bar.speed, bar.start, bar.start_fraction = 12345.6, 0.0, 0.0
    trainer = trainer_at(0, 1)
    trainer.progress_bar_metrics, trainer.checkpoint_callbacks = {"val/objective": 3.0}, []
    assert bar.values(trainer, model) == ["12,346 images/s", "val 3.00"]
    for n, loss in ((1, 100.0), (3, 500.0)):
        model.means["train"].update(n, {"loss": torch.tensor(loss)})
    assert bar.values(trainer, model) == ["12,346 images/s", "loss 400.0", "val 3.00"]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        ({"max_epochs": 5}, 60.0),  # 20 of 50 batches are done, the last 10 of them within 20 seconds
        ({"max_steps": 30}, 20.0),
        ({"max_epochs": 5, "max_steps": 30}, 20.0),  # whichever comes first
        ({}, None),
    ],
)
def test_time_left_is_that_of_the_whole_run(limits, left, monkeypatch):
    bar = ProgressBar()
    bar.start, bar.start_fraction = 100.0, progress.finished_fraction(trainer_at(1, 0, **limits))  # resumed there
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 120.0))
    assert bar.seconds_left(trainer_at(1, 0, **limits)) is None
    seconds = bar.seconds_left(trainer_at(1, 10, **limits))
    assert seconds == (None if left is None else pytest.approx(left))


def test_numbers_and_times():
    assert [progress.format_time(seconds) for seconds in (0, 59.6, 3599, 3600 * 30 + 61)] == [
        "0:00",
        "1:00",
        "59:59",
        "30:01:01",
    ]
    assert [progress.format_number(value) for value in (0.123, -87.654, 327.27)] == ["0.12", "-87.65", "327.3"]
    assert progress.format_epoch(SimpleNamespace(current_epoch=0, max_epochs=30)) == "Epoch 1/30"
    assert progress.format_epoch(SimpleNamespace(current_epoch=9, max_epochs=-1)) == "Epoch 10"


LINE = r"images/s  \d+:\d\d left  loss \d+\.\d+  val \d+\.\d+$"


def test_line_fits_in_80_columns_of_a_terminal(configuration, capsys, monkeypatch):
    for name, value in {"COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    train(configuration(*SHOWN))
    output = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out)
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", output)]
    assert max(len(line) for line in lines if "━" in line) <= 80
    assert any(re.search(r"^Epoch 2/2 ━+ [\d,]+ " + LINE, line) for line in lines), lines
    assert any(line.startswith("Test ━") for line in lines), lines


def test_log_file_has_one_line_per_epoch(configuration, capsys):
    train(configuration(*SHOWN))
    lines = [line for line in capsys.readouterr().out.splitlines() if "images/s" in line]
    assert len(lines) == 2
    for epoch, line in enumerate(lines, 1):
        assert re.search(rf"^Epoch {epoch}/2  [\d,]+ " + LINE, line)


@pytest.mark.parametrize("override", ["callbacks.progress_bar.refresh_rate=0", "trainer.enable_progress_bar=false"])
def test_progress_can_be_disabled(override, configuration, capsys):
    train(configuration(*SHOWN, override))
    assert "images/s" not in capsys.readouterr().out


def test_run_resumed_in_mid_epoch_shows_its_progress(configuration, tmp_path, capsys):
    """Lightning does not call `on_train_epoch_start` again."""
    options = [*SHOWN, "callbacks.last.every_n_train_steps=1"]
    train(configuration(*options, "+trainer.max_steps=3"))
    train(configuration(*options, f"resume={tmp_path / 'run'}"))
    lines = [line for line in capsys.readouterr().out.splitlines() if "images/s" in line]
    assert [line[:9] for line in lines[-2:]] == ["Epoch 1/2", "Epoch 2/2"]


def test_metric_that_selects_checkpoints_is_shown(configuration, capsys):
    train(configuration(*SHOWN, "callbacks.metrics.names=[active_units]", "monitor=val/active_units"))
    out = capsys.readouterr().out
    assert re.search(r"^Epoch 2/2 .*  val \d+\.\d+  active_units \d\.00$", out, re.MULTILINE)
    assert re.search(r"^best       \w+est val/active_units: \d$", out, re.MULTILINE)
