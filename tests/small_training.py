"""Data and a Trainer for trainings of seconds."""

import lightning as L

from vae_lightning.data import DigitsDataModule
from vae_lightning.training.messages import quiet_lightning


def digits() -> DigitsDataModule:
    """Embedded digits, in batches of 256."""
    return DigitsDataModule(
        image_shape=(1, 8, 8), num_classes=10, val_size=180, test_size=360, split_seed=0, batch_size=256,
        eval_batch_size=500, seed=0, binarize="none", validation_split="val", device_resident="auto",
    )  # fmt: skip


def quiet_trainer(**options) -> L.Trainer:
    """A Trainer on the CPU that writes and prints nothing."""
    quiet_lightning()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "num_sanity_val_steps": 0}
    return L.Trainer(accelerator="cpu", enable_model_summary=False, **quiet, **options)
