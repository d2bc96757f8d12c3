"""The figures of a run: a function for each, which returns None if the figure does not apply to the model."""

from collections.abc import Callable, Collection, Iterator

from matplotlib.figure import Figure

from vae_lightning.errors import UserError
from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.isolated_eval import isolated_eval
from vae_lightning.plotting.latent_space import has_umap

Drawing = Figure | bytes | None  # bytes: a GIF

FIGURES: dict[str, Callable[[FigureContext], Drawing]] = {}


def register_figure(function: Callable[[FigureContext], Drawing]) -> Callable[[FigureContext], Drawing]:
    """Register a function under its name, which is also the name of the file and the tag in TensorBoard."""
    FIGURES[function.__name__] = function
    return function


def check_names(option: str, names: Collection[str]) -> None:
    """Check that all figures can be drawn, so that an error is raised before training.

    Args:
        option: the option that lists the names, for error messages.
        names: of figures.

    Raises:
        UserError: if a name is not in `FIGURES`, or the figure needs a package that is not installed.
    """
    for name in names:
        if name not in FIGURES:
            raise UserError(f"{option}={name}: no such figure. Choose from {', '.join(FIGURES)}.")
    if "latent_space_umap" in names and not has_umap():
        raise UserError(f"{option}=latent_space_umap: requires umap-learn. Run pip install umap-learn or leave it out.")


def draw_figures(ctx: FigureContext, names: Collection[str]) -> Iterator[tuple[str, Figure | bytes]]:
    """Yield the name and the figure of those that apply to the model."""
    with isolated_eval(ctx.model):
        for name in names:
            figure = FIGURES[name](ctx)
            if figure is not None:
                yield name, figure
