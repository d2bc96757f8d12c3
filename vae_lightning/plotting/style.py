"""The styles of all figures."""

import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
import numpy as np
from matplotlib import colormaps, rcParams
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import TextPath

P = ParamSpec("P")
T = TypeVar("T")

# Style sheets beside this file, each on top of the one before it.
STYLES = {"screen": ("style",), "paper": ("style", "paper"), "dark": ("style", "dark")}
CURRENT: ContextVar[str] = ContextVar("CURRENT", default="screen")

# Ten colors for points, found by a search for the largest distance between any two, for normal and for red-green
# deficient color vision, with a lightness that stands out from white and from black.
CLASS_COLORS = (
    "#6d8ef2", "#f2c230", "#bf266b", "#56bfa0", "#7900f2", "#8c4f1c", "#f2816d", "#708c00", "#6dcaf2", "#1c7b8c",
)  # fmt: skip

# Used, where they are installed, for what the font of matplotlib does not have, such as names in Chinese.
FALLBACK_FONTS = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "IPAexGothic", "PingFang SC", "Hiragino Sans", "Microsoft YaHei", "Yu Gothic"),
    *("Malgun Gothic", "Arial Unicode MS"),
)

TITLE_CHAR_WIDTH = 0.074  # inches: the mean width of a character of the title
TITLE_LINE_HEIGHT = 0.15  # inches
MARGIN = 0.07  # inches around everything


@contextmanager
def use_style(name: str) -> Iterator[None]:
    """Draw and save figures in one of `STYLES` inside a block, instead of for the screen."""
    token = CURRENT.set(name)
    try:
        yield
    finally:
        CURRENT.reset(token)


def styled(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that draws, so that it draws in the current style."""

    @wraps(function)
    def draw(*args: P.args, **kwargs: P.kwargs) -> T:
        with matplotlib.style.context([*style_sheets(), {"font.family": font_families()}]), missing_glyphs_ignored():
            return function(*args, **kwargs)

    return draw


@cache
def font_families() -> list[str]:
    """Return the font of figures, followed by those of `FALLBACK_FONTS` that are installed."""
    installed = {*get_font_names()}
    return ["sans-serif", *(name for name in FALLBACK_FONTS if name in installed)]


@contextmanager
def missing_glyphs_ignored() -> Iterator[None]:
    """Suppress matplotlib's warning for each character that no font has, which is drawn as a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        yield


def style_sheets() -> list[Path]:
    """Return the style sheets of the current style."""
    return [Path(__file__).with_name(f"{sheet}.mplstyle") for sheet in STYLES[CURRENT.get()]]


def save(figure: Figure, file: Path, **options: Any) -> None:
    """Save a figure in the current style, which some of its ticks and text take on only now.

    That of the screen is the exception, whose ticks are as far apart as with matplotlib's larger labels.
    """
    sheets = [] if CURRENT.get() == "screen" else style_sheets()
    salt = {"svg.hashsalt": file.name}  # the same ids whenever it is drawn
    with matplotlib.style.context([salt, *sheets]), missing_glyphs_ignored():
        figure.savefig(file, **options)


def gray(level: float) -> str:
    """Return the gray between the color of text (0) and the background (1), as matplotlib writes it."""
    text, background = (float(np.mean(to_rgb(rcParams[key]))) for key in ("text.color", "figure.facecolor"))
    return str(text + level * (background - text))


def new_figure(width: float, height: float, title: str, *, automatic: bool = True) -> Figure:
    """Create an empty figure with a title, which is wrapped to the width of the figure.

    The figure is not registered with pyplot, so it need not be closed.

    Args:
        width: in inches.
        height: in inches, without the title.
        title: one or more lines.
        automatic: whether to choose the positions of its parts, for which matplotlib draws it twice.
    """
    chars_per_line = int(width / TITLE_CHAR_WIDTH)
    lines = [wrapped for line in title.splitlines() for wrapped in textwrap.wrap(line, chars_per_line)]
    layout = ConstrainedLayoutEngine(w_pad=MARGIN, h_pad=MARGIN) if automatic else None
    figure = Figure(figsize=(width, height + TITLE_LINE_HEIGHT * (len(lines) + 0.5)), layout=layout)
    figure.suptitle("\n".join(lines))
    return figure


def panel_grid(n: int) -> tuple[int, int]:
    """Return the numbers of rows and columns of n panels, with at most three columns and few empty places."""
    n_rows = -(-n // 3)
    return n_rows, -(-n // n_rows)


def latent_name(index: int) -> str:
    """Return the name of a latent, counted from 0, for a label: plain text, since a formula takes longer to draw."""
    return "z" + "".join(chr(ord("₀") + int(digit)) for digit in str(index))


def label_width(labels: Sequence[str]) -> float:
    """Return the width in inches of the widest line of an axis's labels, or 0 if there are none."""
    lines = [line for label in labels for line in label.splitlines()]
    paths = [TextPath((0, 0), line, size=rcParams["ytick.labelsize"]) for line in lines]
    # On the screen, glyphs are moved to whole pixels, which makes a line a little wider.
    return max((1.04 * path.get_extents().width / 72 for path in paths), default=0.0)


def class_colors(k: int) -> np.ndarray:
    """Return k RGB colors, (k, 3) in [0, 1].

    If k is larger than `CLASS_COLORS`, they come from a continuous colormap, whose neighboring colors look alike.
    """
    colors = CLASS_COLORS[:k] if k <= len(CLASS_COLORS) else [colormaps["turbo"](i / (k - 1)) for i in range(k)]
    return np.asarray([to_rgb(color) for color in colors])


def format_number(value: float, digits: int) -> str:
    """Format a number with this many decimals, with a minus sign instead of a hyphen and without negative zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def format_interval(ends: Sequence[float]) -> str:
    """Format a pair of numbers as `[low, high]`, with one decimal."""
    return f"[{format_number(ends[0], 1)}, {format_number(ends[1], 1)}]"
