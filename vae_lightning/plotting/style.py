"""One look for all figures."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib.style
import numpy as np
from matplotlib import colormaps, rcParams
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import TextPath

styled = matplotlib.style.context(Path(__file__).with_name("style.mplstyle"))  # decorates each function that draws

TITLE_CHARACTER = 0.074  # inches: the mean width of one, in the style's title
LINE = 0.15  # inches: the height of a line of the title
MARGIN = 0.07  # inches around everything


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure under its title, which is broken where the figure ends.

    It belongs to no window and no global list, so nothing needs closing.

    Args:
        width: in inches.
        height: in inches, without the title.
        title: one or more lines.
    """
    columns = int(width / TITLE_CHARACTER)
    lines = [part for line in title.splitlines() for part in textwrap.wrap(line, columns)]
    layout = ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN)
    figure = Figure(figsize=(width, height + LINE * (len(lines) + 0.5)), layout=layout)
    figure.suptitle("\n".join(lines))
    return figure


def label_width(labels: Sequence[str]) -> float:
    """The width in inches of the widest of the labels of an axis, 0 without any."""
    paths = [TextPath((0, 0), label, size=rcParams["ytick.labelsize"]) for label in labels if label]
    return max((path.get_extents().width / 72 for path in paths), default=0.0)


def class_colors(k: int) -> np.ndarray:
    """k colours (k, 3): those of the palette while they last, else k of one scale, whose neighbours look alike."""
    palette = rcParams["axes.prop_cycle"].by_key()["color"]
    colors = palette[:k] if k <= len(palette) else [colormaps["turbo"](i / (k - 1)) for i in range(k)]
    return np.asarray([to_rgb(color) for color in colors])


def number(value: float, digits: int) -> str:
    """A number as it is printed, with a minus and not a hyphen, and no minus before 0.0."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def interval(ends: Sequence[float]) -> str:
    """[from, to]."""
    return f"[{number(ends[0], 1)}, {number(ends[1], 1)}]"
