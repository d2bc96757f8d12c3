"""The figures of a finished run, drawn again."""

from collections.abc import Iterator
from pathlib import Path

from vae_lightning.checkpointing.loading import read_checkpoint
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.figures.context import FigureContext, format_title
from vae_lightning.figures.history import History
from vae_lightning.figures.registry import FIGURES, draw_figures
from vae_lightning.figures.saving import save_figure
from vae_lightning.plotting.latent_space import has_umap
from vae_lightning.runs.layout import find_checkpoint


def redraw(path: str | Path, *, trust: tuple[str, ...] = ()) -> Iterator[Path]:
    """Draw every figure that makes sense for a run's best model into its `figures/`; yield each file.

    Args:
        path: a run's folder, or a checkpoint in it, whose model is drawn then.
        trust: packages of your own whose classes the checkpoint may name; see `load`.

    Raises:
        UserError: when there is no such run, or its data is no longer there.
    """
    run = load_run(path, trust=trust)
    shown = read_checkpoint(find_checkpoint(path, preferred="best"))
    last = read_checkpoint(find_checkpoint(run.run_dir, preferred="last"))
    title = format_title(run.config["name"], run.model, shown["warmup"], shown["epoch"] + 1)
    subject = FigureContext(run.model, run.data, title, History(**last.get("history", {})))
    names = [name for name in FIGURES if name != "latent_space_umap" or has_umap()]
    for name, drawn in draw_figures(subject, names):
        yield save_figure(drawn, run.run_dir / "figures", name)
