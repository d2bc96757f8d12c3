"""Drawing the figures of a finished run again."""

from collections.abc import Iterator
from pathlib import Path

from vae_lightning.checkpointing.loading import read_checkpoint
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.figures.context import FigureContext, format_title
from vae_lightning.figures.history import History
from vae_lightning.figures.registry import FIGURES, draw_figures
from vae_lightning.figures.saving import save_figure
from vae_lightning.plotting.latent_space import has_umap
from vae_lightning.runs.discovery import resolve_run
from vae_lightning.runs.format import CheckpointKey
from vae_lightning.runs.layout import find_checkpoint


def redraw(path: str | Path, *, trust: tuple[str, ...] = ()) -> Iterator[Path]:
    """Draw every figure that applies to the best model of a run into its `figures/`, and yield each file.

    Args:
        path: a run directory, `latest`, or a checkpoint in a run directory, whose model is drawn.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.

    Raises:
        UserError: if there is no such run, or its data is no longer available.
    """
    path = resolve_run(path)
    run = load_run(path, trust=trust)
    shown = read_checkpoint(find_checkpoint(path, preferred="best"))
    last = read_checkpoint(find_checkpoint(run.run_dir, preferred="last"))
    title = format_title(run.config["name"], run.model, shown[CheckpointKey.WARMUP], shown["epoch"] + 1)
    context = FigureContext(run.model, run.data, title, History(**last.get(CheckpointKey.HISTORY, {})))
    names = [name for name in FIGURES if name != "latent_space_umap" or has_umap()]
    for name, drawn in draw_figures(context, names):
        yield save_figure(drawn, run.run_dir / "figures", name)
