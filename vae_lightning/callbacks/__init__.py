"""Lightning callbacks."""

from vae_lightning.callbacks.checkpoints import Checkpoint
from vae_lightning.callbacks.figures import Figures
from vae_lightning.callbacks.run_state import RunState
from vae_lightning.callbacks.warmup import Warmup, warmup_factor

__all__ = ["Checkpoint", "Figures", "RunState", "Warmup", "warmup_factor"]
