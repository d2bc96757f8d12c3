"""Lightning callbacks."""

from vae_lightning.callbacks.beta_warmup import BetaWarmup, warmup_factor
from vae_lightning.callbacks.checkpoint import Checkpoint
from vae_lightning.callbacks.collapse import CollapseMonitor
from vae_lightning.callbacks.early_stopping import EarlyStopping
from vae_lightning.callbacks.embedding_projector import EmbeddingProjector
from vae_lightning.callbacks.figures import Figures
from vae_lightning.callbacks.graceful_shutdown import GracefulShutdown
from vae_lightning.callbacks.gradient_skip import GradientSkip
from vae_lightning.callbacks.histograms import PosteriorHistograms
from vae_lightning.callbacks.progress import ProgressBar
from vae_lightning.callbacks.pruning import Pruning
from vae_lightning.callbacks.representation_metrics import RepresentationMetrics
from vae_lightning.callbacks.run_state import RunState
from vae_lightning.callbacks.schedule import Schedule
from vae_lightning.callbacks.terminate_on_nan import TerminateOnNaN
from vae_lightning.callbacks.weight_ema import WeightEMA
from vae_lightning.errors import Interrupted

__all__ = [
    "BetaWarmup",
    "Checkpoint",
    "CollapseMonitor",
    "EarlyStopping",
    "EmbeddingProjector",
    "Figures",
    "GracefulShutdown",
    "GradientSkip",
    "Interrupted",
    "PosteriorHistograms",
    "ProgressBar",
    "Pruning",
    "RepresentationMetrics",
    "RunState",
    "Schedule",
    "TerminateOnNaN",
    "WeightEMA",
    "warmup_factor",
]
