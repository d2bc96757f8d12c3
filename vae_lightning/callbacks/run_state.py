"""What makes a run a function of its configuration and seed, also across an interruption."""

import random
from typing import Any

import lightning as L
import numpy as np
import torch


class RunState(L.Callback):
    """Keep the configuration and the random generators in each checkpoint, and evaluation out of the training's stream.

    - A checkpoint holds the resolved configuration, as plain containers, under `config`.
    - It holds the metrics logged last, under `metrics`: those of the last epoch, though the process end before they are
      written, since a finished training that is resumed logs none anew.
    - It holds the state of all random generators, one for each process; a resumed run goes on with them.
    - Validation and test draw from generators of their own, seeded anew each time: how often one validates changes
      nothing in training, and two validations differ by the model alone.

    Args:
        config: the resolved configuration, as plain containers.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.restored: list[dict[str, Any]] | None = None
        self.metrics: dict[str, float] = {}
        self.set_aside: dict[str, Any] | None = None
        self.started = False  # the training: all that a checkpoint restores has been restored

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the configuration, the metrics and each process's generators."""
        states: list[Any] = [random_state()]
        if trainer.world_size > 1:
            states = [None] * trainer.world_size
            torch.distributed.all_gather_object(states, random_state())
        checkpoint["config"] = self.config
        checkpoint["metrics"] = {n: value.item() for n, value in trainer.callback_metrics.items() if "/" in n}
        checkpoint["random_state"] = states

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Remember the generators until training starts, and the metrics."""
        self.metrics = checkpoint.get("metrics", {})
        self.restored = checkpoint["random_state"]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Go on with the saved generators, or give each process a stream of its own."""
        if self.restored and len(self.restored) == trainer.world_size:
            set_random_state(self.restored[trainer.global_rank])
        elif trainer.global_rank:
            torch.manual_seed(torch.initial_seed() + trainer.global_rank)
        self.started = True

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Set the training's generators aside."""
        self.set_aside = random_state()
        torch.manual_seed(self.config["seed"] + trainer.global_rank)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take them up again."""
        if self.set_aside:
            set_random_state(self.set_aside)

    on_test_start = on_validation_start
    on_test_end = on_validation_end


def random_state() -> dict[str, Any]:
    """The state of Python's, NumPy's and torch's generators, as plain containers and tensors."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys, dtype=np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Restore what `random_state` returned."""
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy(), *rest))
    torch.set_rng_state(state["torch"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
