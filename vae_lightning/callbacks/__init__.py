"""Lightning callbacks."""

from vae_lightning.callbacks.checkpoints import LastCheckpoint
from vae_lightning.callbacks.figures import Figures
from vae_lightning.callbacks.run_state import RunState
from vae_lightning.callbacks.warmup import Warmup, warmup_factor

__all__ = ["Figures", "LastCheckpoint", "RunState", "Warmup", "warmup_factor"]
