"""Many runs in one figure: numbers against numbers, and against what was swept."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from vae_lightning.plotting.curves import IMAGES_SEEN
from vae_lightning.plotting.style import class_colors, new_figure, styled

WIDTH, HEIGHT = 3.2, 2.7  # inches: of one panel
LEGEND_LINE = 0.15  # inches
ISO_LINES = 7
NOTE_SIZE = (34, 7)  # points


class Point(NamedTuple):
    """A mean over seeds, with half of its interval (NaN without one), along x and y, and what is written beside it.

    A note that would lie on one before it is left out.
    """

    x: float
    y: float
    dx: float = math.nan
    dy: float = math.nan
    note: str = ""


Series = Mapping[str, Sequence[Point]]  # by its name in the legend


@styled
def rate_distortion(series: Series, title: str) -> Figure:
    """The rate-distortion plane with lines of equal nelbo (Alemi et al. 2018, Figure 1).

    Args:
        series: x the rate, y the distortion, in nats per image.
        title: above the figure.
    """
    figure, (axes,) = panels(1, series, title, scale=1.5)
    draw(axes, series)
    axes.set(xlabel="rate, nats per image", ylabel="distortion, nats per image")
    iso_lines(axes)
    return figure


@styled
def against(series: Mapping[str, Series], x_label: str, title: str) -> Figure:
    """Metrics against what was swept, a panel a metric.

    Args:
        series: by the metric's name, its series; all panels have the same ones.
        x_label: what was swept.
        title: above the figure.
    """
    names = {name: list(points) for of_metric in series.values() for name, points in of_metric.items()}
    figure, all_axes = panels(len(series), names, title)
    for axes, (metric, of_metric) in zip(all_axes, series.items(), strict=True):
        draw(axes, {name: of_metric.get(name, []) for name in names})
        axes.set(xlabel=x_label, ylabel=metric)
        scale(axes, sorted({p.x for points in of_metric.values() for p in points}))
    return figure


@styled
def trade_off(series: Series, x_label: str, y_label: str, title: str) -> Figure:
    """One metric against another."""
    figure, (axes,) = panels(1, series, title, scale=1.5)
    draw(axes, series)
    axes.set(xlabel=x_label, ylabel=y_label)
    return figure


@styled
def bound_curves(curves: Mapping[str, Mapping[str, Mapping[int, float]]], title: str) -> Figure:
    """The evidence lower bound against the training images seen (Kingma & Welling 2014, Figure 2).

    Args:
        curves: by the run's name, by the split's (train first), images seen to ELBO in nats per image.
        title: above the figure.
    """
    figure, (axes,) = panels(1, curves, title, scale=1.5)
    for color, (name, splits) in zip(class_colors(len(curves)), curves.items(), strict=True):
        for (split, curve), line in zip(splits.items(), ("-", "--"), strict=False):
            marker = "o" if len(curve) < 2 else ""
            label = name if line == "-" else None
            axes.plot(list(curve), list(curve.values()), line, color=color, marker=marker, label=label, gid=split)
    axes.set(xlabel=IMAGES_SEEN, ylabel="ELBO, nats per image", xscale="log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    legend(figure, axes)
    return figure


def panels(n: int, names: Mapping[str, object], title: str, scale: float = 1.0) -> tuple[Figure, list[Axes]]:
    """A figure of n panels, three a line, with room for a legend of so many names below."""
    columns = min(n, 3)
    lines = -(-n // columns)
    height = HEIGHT * scale * lines + LEGEND_LINE * len(names)
    figure = new_figure(WIDTH * scale * columns, height, title)
    return figure, [figure.add_subplot(lines, columns, i + 1) for i in range(n)]


def draw(axes: Axes, series: Series) -> None:
    """Each series in its colour, its points joined in their order, with crosses of their intervals."""
    colors = dict(zip(series, class_colors(len(series)), strict=True))
    for name, points in series.items():
        x, y, dx, dy = (np.array([p[i] for p in points], dtype=float) for i in range(4))
        style = {"color": colors[name], "elinewidth": 0.6, "markersize": 3.5}
        axes.errorbar(x, y, np.nan_to_num(dy), np.nan_to_num(dx), "o-", label=name, **style)
    axes.autoscale_view()
    taken: list[np.ndarray] = []  # where a note stands, in points
    for name, points in series.items():
        for p in points:
            place = axes.transData.transform((p.x, p.y)) * 72 / axes.figure.dpi
            if p.note and all((abs(place - other) > NOTE_SIZE).any() for other in taken):
                taken.append(place)
                axes.annotate(p.note, (p.x, p.y), (4, 3), textcoords="offset points", color=colors[name], fontsize=6)
    figure = axes.figure
    if isinstance(figure, Figure) and axes is figure.axes[0]:
        legend(figure, axes)


def legend(figure: Figure, axes: Axes) -> None:
    """The names of the series below the figure, where they lie over nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if any(labels):
        figure.legend(handles, labels, loc="outside lower left", ncols=1)


def scale(axes: Axes, values: Sequence[float]) -> None:
    """Ticks at the very values that were swept, on a logarithmic axis where they span an order of magnitude."""
    if not values:
        return
    if values[0] > 0 and values[-1] / values[0] >= 8:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    if len(values) <= 8:
        axes.set_xticks(values)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def iso_lines(axes: Axes) -> None:
    """Lines of equal nelbo = distortion + rate, within the limits as they are."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for nelbo in MaxNLocator(ISO_LINES).tick_values(left + bottom, right + top):
        axes.plot([left, right], [nelbo - left, nelbo - right], ":", color="0.7", linewidth=0.7, zorder=0)
        x, y = (left, nelbo - left) if bottom < nelbo - left < top else (nelbo - top, top)
        if left <= x < right - 0.1 * (right - left) and bottom < y <= top:
            axes.annotate(f"{nelbo:g}", (x, y), (2, -6), textcoords="offset points", color="0.5", fontsize=5.5)
    axes.set(xlim=(left, right), ylim=(bottom, top))
