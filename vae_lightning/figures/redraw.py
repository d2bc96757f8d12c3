"""Redrawing the figures of a finished run."""

from collections.abc import Iterator
from pathlib import Path

from vae_lightning.checkpointing.loading import read_checkpoint
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.errors import check_choice
from vae_lightning.figures.context import FigureContext, format_title
from vae_lightning.figures.history import History
from vae_lightning.figures.registry import FIGURES, draw_figures
from vae_lightning.figures.saving import FORMATS, save_figure
from vae_lightning.plotting.latent_space import has_umap
from vae_lightning.plotting.style import STYLES, use_style
from vae_lightning.runs.discovery import resolve_run
from vae_lightning.runs.format import CheckpointKey
from vae_lightning.runs.layout import find_checkpoint


def redraw(
    path: str | Path,
    *,
    trust: Trust = (),
    data_root: str | Path | None = None,
    format: str | None = None,
    style: str | None = None,
) -> Iterator[Path]:
    """Draw all figures that apply to a run into its `figures/` directory, and yield the path of each file.

    The curves come from the last checkpoint, all other figures from the best one.

    Args:
        path: a run directory, `latest`, or a checkpoint in a run directory, which is then used instead of the best one.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.
        data_root: see `load_run`.
        format: png, or pdf or svg beside it; by default as in training.
        style: screen, paper or dark; by default as in training.

    Raises:
        UserError: if there is no such run, or its data is no longer available.
    """
    path = resolve_run(path)
    run = load_run(path, trust=trust, data_root=data_root, needs_directory=True)
    checkpoint = read_checkpoint(find_checkpoint(path, preferred="best"))
    last = read_checkpoint(find_checkpoint(run.run_dir, preferred="last"))
    title = format_title(run.config["name"], run.model, checkpoint[CheckpointKey.WARMUP], checkpoint["epoch"] + 1)
    context = FigureContext(run.model, run.data, title, History(**last.get(CheckpointKey.HISTORY, {})))
    names = [name for name in FIGURES if name != "latent_space_umap" or has_umap()]
    configured = (run.config.get("callbacks") or {}).get("figures") or {}
    format = check_choice("format", format or configured.get("format", "png"), FORMATS)
    with use_style(check_choice("style", style or configured.get("style", "screen"), STYLES)):
        for name, figure in draw_figures(context, names):
            yield from save_figure(figure, run.run_dir / "figures", name, format)
