"""Redrawing the figures of a finished run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from vae_lightning.checkpointing.loading import read_checkpoint
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.config.packages import import_function
from vae_lightning.errors import UserError, check_choice
from vae_lightning.figures.context import FigureContext, format_title
from vae_lightning.figures.history import History
from vae_lightning.figures.registry import FIGURES, check_names, draw_figures
from vae_lightning.figures.saving import FORMATS, save_figure
from vae_lightning.plotting.latent_space import has_umap
from vae_lightning.plotting.style import STYLES, use_style
from vae_lightning.runs.discovery import resolve_run
from vae_lightning.runs.format import CheckpointKey
from vae_lightning.runs.layout import find_checkpoint


def redraw(
    path: str | Path,
    *,
    only: Sequence[str] = (),
    trust: Trust = (),
    data_root: str | Path | None = None,
    format: str | None = None,
    style: str | None = None,
) -> Iterator[Path]:
    """Draw the figures that apply to a run into its `figures/` directory, and yield the path of each file.

    The curves come from the last checkpoint, all other figures from the best one.

    Args:
        path: a run directory, `latest`, or a checkpoint in a run directory, which is then used instead of the best one.
        only: names of figures; all by default. One with a dot, such as `my_figures.posterior_means`, is a function of
            your own: it is given a `FigureContext` and returns a Matplotlib figure.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.
        data_root: see `load_run`.
        format: png, or pdf or svg beside it; by default as in training.
        style: screen, paper or dark; by default as in training.

    Raises:
        UserError: if there is no such run or figure, or its data is no longer available.
    """
    only = [load_own_figure(name) if "." in name else name for name in only]
    check_names("--only", only)
    path = resolve_run(path)
    run = load_run(path, trust=trust, data_root=data_root, needs_directory=True)
    checkpoint = read_checkpoint(find_checkpoint(path, preferred="best"))
    last = read_checkpoint(find_checkpoint(run.run_dir, preferred="last"))
    title = format_title(run.config["name"], run.model, checkpoint[CheckpointKey.WARMUP], checkpoint["epoch"] + 1)
    context = FigureContext(run.model, run.data, title, History(**last.get(CheckpointKey.HISTORY, {})))
    names = only or [name for name in FIGURES if name != "latent_space_umap" or has_umap()]
    configured = (run.config.get("callbacks") or {}).get("figures") or {}
    format = check_choice("format", format or configured.get("format", "png"), FORMATS)
    with use_style(check_choice("style", style or configured.get("style", "screen"), STYLES)):
        for name, figure in draw_figures(context, names):
            yield from save_figure(figure, run.run_dir / "figures", name, format)


def load_own_figure(target: str) -> str:
    """Import a function of the user's own, such as `my_figures.posterior_means`, and register it under its name.

    Raises:
        UserError: if it cannot be imported, or has the name of another figure.
    """
    function, name = import_function("--only", target), target.rpartition(".")[2]
    if FIGURES.setdefault(name, function) is not function:
        raise UserError(f"--only={target}: there is a figure of this name. Rename the function.")
    return name
