"""What a run holds does not grow with its epochs, nor what a process holds with its runs; `make long-runs` measures."""

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
FIGURES += ["~callbacks.collapse"]  # it would warn


def held() -> dict[str, object]:
    """Open files, threads and figures of this process, but for the fonts, of which matplotlib keeps 64 open."""
    gc.collect()
    files = sorted(os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
    return {
        "files": [file for file in files if not file.endswith(".ttf")],
        "threads": threading.active_count(),
        "figures": len(pyplot.get_fignums()),
    }


class Watch(L.Callback):
    """Note what is held after each epoch."""

    after: list[dict[str, object]] = []  # noqa: RUF012 - of all instances, since the run builds its own

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.logger.save()  # TensorBoard's thread opens its file anew for each event: until it has written all
        self.after.append(held())


def test_epochs_leave_nothing_open(small):
    Watch.after.clear()
    watch = "+callbacks.watch={_target_: test_long_runs.Watch}"
    train(small(*FIGURES, watch, "trainer.max_epochs=6"))
    assert len(Watch.after) == 6
    assert Watch.after[-1] == Watch.after[2]


def test_runs_leave_nothing_open(small):
    after = []
    for n in range(3):
        train(small(*FIGURES, run=f"{n}"))
        after.append(held())
    assert after[2] == after[0]
