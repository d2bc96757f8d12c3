"""One look for all figures."""

from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure

styled = matplotlib.style.context(Path(__file__).with_name("style.mplstyle"))  # decorates each function that draws


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches. It belongs to no window and no global list, so nothing needs closing."""
    return Figure(figsize=(width, height), layout="constrained")
