"""Tests that open files, threads and figures do not accumulate over epochs or runs.

`make long-runs` also measures memory.
"""

import gc
import os
import threading
from pathlib import Path

import lightning as L
import pytest
from matplotlib import pyplot

from vae_lightning.training.train import train

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
FIGURES = ["callbacks.figures.every_n_epochs=1", "callbacks.figures.final=[training_curves,latent_space]"]
FIGURES += ["~callbacks.collapse"]  # it would warn of a collapse


def open_resources() -> dict[str, object]:
    """Return the open files, threads and figures of this process, except fonts, of which matplotlib keeps 64 open."""
    gc.collect()
    files = sorted(os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
    return {
        "files": [file for file in files if not file.endswith(".ttf")],
        "threads": threading.active_count(),
        "figures": len(pyplot.get_fignums()),
    }


class RecordResources(L.Callback):
    """Records the open resources after each epoch."""

    after: list[dict[str, object]] = []  # noqa: RUF012 - shared, since the run creates its own instance

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.logger.save()  # wait for TensorBoard's thread, which reopens its file for each event
        self.after.append(open_resources())


def test_epochs_do_not_leak_resources(small):
    RecordResources.after.clear()
    watch = "+callbacks.watch={_target_: test_long_runs.RecordResources}"
    train(small(*FIGURES, watch, "trainer.max_epochs=6"))
    assert len(RecordResources.after) == 6
    assert RecordResources.after[-1] == RecordResources.after[2]


def test_runs_do_not_leak_resources(small):
    after = []
    for n in range(3):
        train(small(*FIGURES, run=f"{n}"))
        after.append(open_resources())
    assert after[2] == after[0]
