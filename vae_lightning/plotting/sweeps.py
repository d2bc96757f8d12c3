"""Figures of many runs: metrics against each other and against a swept option."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from vae_lightning.plotting.curves import IMAGES_SEEN, format_image_counts
from vae_lightning.plotting.style import class_colors, new_figure, panel_grid, styled

PANEL_WIDTH, PANEL_HEIGHT = 3.2, 2.7  # inches
LEGEND_LINE_HEIGHT = 0.15  # inches
ISO_LINES = 7
NOTE_SIZE = (34, 7)  # width and height, in points


class Point(NamedTuple):
    """A mean over seeds, with error bars and a note.

    A note that would overlap one drawn before it is left out.

    Attributes:
        x: the mean along the x axis.
        y: the mean along the y axis.
        dx: half the width of the interval along x, NaN if there is none.
        dy: half the width of the interval along y, NaN if there is none.
        note: written beside the point.
    """

    x: float
    y: float
    dx: float = math.nan
    dy: float = math.nan
    note: str = ""


Series = Mapping[str, Sequence[Point]]  # name in the legend -> points


@styled
def rate_distortion(series: Series, title: str) -> Figure:
    """Plot the rate-distortion plane, with lines of equal nelbo (Alemi et al. 2018, Figure 1).

    Args:
        series: points whose x is the rate and whose y is the distortion, in nats per image.
        title: above the figure.
    """
    figure, (axes,) = panel_figure(1, series, title, scale=1.5)
    draw_series(axes, series)
    axes.set(xlabel="rate, nats per image", ylabel="distortion, nats per image")
    draw_iso_lines(axes)
    return figure


@styled
def metrics_against(series: Mapping[str, Series], x_label: str, title: str) -> Figure:
    """Plot metrics against a swept option, one panel per metric.

    Args:
        series: name of the metric -> its series. A series has the same color in all panels.
        x_label: the swept option.
        title: above the figure.
    """
    names = {name: list(points) for metric_series in series.values() for name, points in metric_series.items()}
    figure, all_axes = panel_figure(len(series), names, title)
    for axes, (metric, metric_series) in zip(all_axes, series.items(), strict=True):
        draw_series(axes, {name: metric_series.get(name, []) for name in names})
        axes.set(xlabel=x_label, ylabel=metric)
        scale_x_axis(axes, sorted({p.x for points in metric_series.values() for p in points}))
    return figure


@styled
def trade_off(series: Series, x_label: str, y_label: str, title: str) -> Figure:
    """Plot one metric against another."""
    figure, (axes,) = panel_figure(1, series, title, scale=1.5)
    draw_series(axes, series)
    axes.set(xlabel=x_label, ylabel=y_label)
    return figure


@styled
def compare_curves(curves: Mapping[str, Mapping[str, Mapping[int, float]]], ylabel: str, title: str) -> Figure:
    """Plot a metric of several runs against the training images seen (Kingma & Welling 2014, Figure 2).

    Args:
        curves: name of the run -> split (train first) -> training images seen -> the metric. The first split is solid,
            the second dashed.
        ylabel: name and unit of the metric.
        title: above the figure.
    """
    figure, (axes,) = panel_figure(1, curves, title, scale=1.5)
    for color, (name, splits) in zip(class_colors(len(curves)), curves.items(), strict=True):
        for (split, curve), line in zip(splits.items(), ("-", "--"), strict=False):
            marker = "o" if len(curve) < 2 else ""
            label = name if line == "-" else None
            axes.plot(list(curve), list(curve.values()), line, color=color, marker=marker, label=label, gid=split)
    axes.set(xlabel=IMAGES_SEEN, ylabel=ylabel, xscale="log")
    format_image_counts(axes)
    add_legend(figure, axes)
    return figure


def panel_figure(n: int, names: Mapping[str, object], title: str, scale: float = 1.0) -> tuple[Figure, list[Axes]]:
    """Create a figure of n panels, at most three per row, with room below for a legend.

    Args:
        n: number of panels.
        names: the entries of the legend; only their number is used.
        title: above the figure.
        scale: factor on the size of a panel.
    """
    n_rows, n_columns = panel_grid(n)
    height = PANEL_HEIGHT * scale * n_rows + LEGEND_LINE_HEIGHT * len(names)
    figure = new_figure(PANEL_WIDTH * scale * n_columns, height, title)
    return figure, [figure.add_subplot(n_rows, n_columns, i + 1) for i in range(n)]


def draw_series(axes: Axes, series: Series) -> None:
    """Draw each series in its own color: points joined in their order, with error bars and notes.

    The first panel of a figure also gets the legend.
    """
    colors = dict(zip(series, class_colors(len(series)), strict=True))
    for name, points in series.items():
        x, y, dx, dy = (np.array([p[i] for p in points], dtype=float) for i in range(4))
        style = {"color": colors[name], "elinewidth": 0.6, "markersize": 3.5}
        axes.errorbar(x, y, np.nan_to_num(dy), np.nan_to_num(dx), "o-", label=name, **style)
    axes.autoscale_view()
    drawn: list[np.ndarray] = []  # positions of the notes, in points
    for name, points in series.items():
        for p in points:
            position = axes.transData.transform((p.x, p.y)) * 72 / axes.figure.dpi
            if p.note and all((abs(position - other) > NOTE_SIZE).any() for other in drawn):
                drawn.append(position)
                axes.annotate(p.note, (p.x, p.y), (4, 3), textcoords="offset points", color=colors[name], fontsize=6)
    figure = axes.figure
    if isinstance(figure, Figure) and axes is figure.axes[0]:
        add_legend(figure, axes)


def add_legend(figure: Figure, axes: Axes) -> None:
    """Add a legend below the figure, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if any(labels):
        figure.legend(handles, labels, loc="outside lower left", ncols=1)


def scale_x_axis(axes: Axes, values: Sequence[float]) -> None:
    """Put ticks at the swept values, if they are few, and use a logarithmic axis if they span a factor of 8 or more.

    Args:
        axes: whose x axis is scaled.
        values: the swept values, in ascending order.
    """
    if not values:
        return
    if values[0] > 0 and values[-1] / values[0] >= 8:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    if len(values) <= 8:
        axes.set_xticks(values)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def draw_iso_lines(axes: Axes) -> None:
    """Draw lines of equal nelbo = distortion + rate without changing the limits of the axes."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for nelbo in MaxNLocator(ISO_LINES).tick_values(left + bottom, right + top):
        axes.plot([left, right], [nelbo - left, nelbo - right], ":", color="0.7", linewidth=0.7, zorder=0)
        x, y = (left, nelbo - left) if bottom < nelbo - left < top else (nelbo - top, top)
        if left <= x < right - 0.1 * (right - left) and bottom < y <= top:
            axes.annotate(f"{nelbo:g}", (x, y), (2, -6), textcoords="offset points", color="0.5", fontsize=5.5)
    axes.set(xlim=(left, right), ylim=(bottom, top))
