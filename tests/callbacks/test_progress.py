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
    train(configuration(*small, *more, f"model={model}"))
    waits = [after > before for before, after in pairwise(reads_at_step)]
    assert len(waits) > 70
    assert sum(waits) == 1 + len(waits) // 20  # the first drawing, and each check for NaN


def test_metrics_include_the_mean_loss_of_the_epoch_so_far(parts):
    bar, model = ProgressBar(), VAE(**parts)
    trainer = SimpleNamespace(progress_bar_metrics={"val/objective": 3.0}, loggers=[])
    assert bar.get_metrics(trainer, model) == {"val": 3.0}
    for n, loss in ((1, 1.0), (3, 5.0)):
        model.means["train"].update(n, {"loss": torch.tensor(loss)})
    assert bar.get_metrics(trainer, model) == {"loss": 4.0, "val": 3.0}


def test_epochs_are_counted_from_1():
    bar = ProgressBar()
    bar._trainer = SimpleNamespace(max_epochs=30)
    assert bar._get_train_description(0) == "Epoch 1/30"
    bar._trainer.max_epochs = -1
    assert bar._get_train_description(9) == "Epoch 10  "


def test_line_fits_in_80_columns(configuration, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "")
    small = [override for override in SMALL if "progress_bar" not in override]
    train(configuration(*small, "~callbacks.figures", "~callbacks.projector"))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if "Epoch 2/2" in line]
    assert any(re.search(r"Epoch 2/2 .* 5/5 \S+ • \S+ loss: \d+\.\d val: \d+\.\d$", line) for line in lines), lines
