"""Lightning callbacks."""

from vae_lightning.callbacks.checkpoints import Checkpoint
from vae_lightning.callbacks.collapse import CollapseMonitor
from vae_lightning.callbacks.figures import Figures
from vae_lightning.callbacks.finite import Finite
from vae_lightning.callbacks.histograms import PosteriorHistograms
from vae_lightning.callbacks.interruption import Interrupted, Interruption
from vae_lightning.callbacks.progress import ProgressBar
from vae_lightning.callbacks.projector import Projector
from vae_lightning.callbacks.pruning import Pruning
from vae_lightning.callbacks.run_state import RunState
from vae_lightning.callbacks.warmup import Warmup, warmup_factor

__all__ = [
    "Checkpoint",
    "CollapseMonitor",
    "Figures",
    "Finite",
    "Interrupted",
    "Interruption",
    "PosteriorHistograms",
    "ProgressBar",
    "Projector",
    "Pruning",
    "RunState",
    "Warmup",
    "warmup_factor",
]
