"""Measure what each logger takes of a training run, in one run with all of them (W&B offline, MLflow in a file).

    python benchmarks/loggers.py --root ../shared/data

Each logger gets the metrics once per epoch and the figures at the end. Their calls are timed in the same run, so a busy
machine affects all of them and the training alike.
"""

import argparse
import os
import tempfile
import time
from collections import defaultdict
from functools import wraps

import lightning as L

import vae_lightning
from vae_lightning.callbacks import figures
from vae_lightning.loggers import log_figure

LOGGERS = ["tensorboard", "csv", "wandb", "mlflow"]
seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))


def timed(name: str, kind: str, function):  # noqa: ANN001, ANN201
    """Return the function with its time added to `seconds[name][kind]`."""

    @wraps(function)
    def call(*args, **kwargs):  # noqa: ANN002, ANN003, ANN202
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[name][kind] += time.perf_counter() - start

    return call


class Time(L.Callback):
    """Times the calls of all loggers, and the training batches."""

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin to time."""
        for logger in trainer.loggers:
            for method in ("log_metrics", "save"):
                setattr(logger, method, timed(type(logger).__name__, "metrics", getattr(logger, method)))
        self.steps = self.seconds = 0.0

    def on_train_batch_start(self, *_: object) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_train_batch_end(self, *_: object) -> None:
        """Stop the clock."""
        self.steps += 1
        self.seconds += time.perf_counter() - self.start

    def on_fit_end(self, *_: object) -> None:
        """Print the result."""
        step = self.seconds / self.steps
        print(f"{self.steps:.0f} steps of {1000 * step:.2f} ms")
        for name, kinds in seconds.items():
            metrics = kinds["metrics"] / self.steps
            ratio = f"{1000 * metrics:.4f} ms per step, ratio {1 + metrics / step:.4f}"
            print(f"{name:12} {ratio}; figures {kinds['figures']:.2f} s in all")


def main() -> None:
    """Train once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="folder that contains MNIST/raw")
    parser.add_argument("--epochs", type=int, default=5)
    args = parser.parse_args()
    root = os.path.abspath(args.root)  # noqa: PTH100
    figures.log_figure = lambda logger, *rest: timed(type(logger).__name__, "figures", log_figure)(logger, *rest)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        vae_lightning.train(
            [
                "data=mnist",
                "model/network=mlp",
                f"data.root={root}",
                f"trainer.max_epochs={args.epochs}",
                f"logger=[{','.join(LOGGERS)}]",
                "logger.wandb.offline=true",
                "callbacks.figures.final=[]",
                "+callbacks.time._target_=__main__.Time",
            ]
        )


if __name__ == "__main__":
    main()
