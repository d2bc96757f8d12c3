"""The figures of a report."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from matplotlib.figure import Figure

from vae_lightning.errors import UserError, one_line
from vae_lightning.plotting import sweeps
from vae_lightning.plotting.sweeps import Point
from vae_lightning.report.curves import Curve, mean_curve
from vae_lightning.report.escaping import escape_mathtext, visible
from vae_lightning.report.grids import grids
from vae_lightning.report.table import Group
from vae_lightning.runs.metrics import MAIN_METRICS

SWEPT_OPTIONS = {"beta": "β", "latent_dim": "latent dimension"}
MIG = "disentanglement/mig"
MAX_SETTINGS = 20  # per plot
MAX_MODELS = 9  # per grid of images


class Picture(NamedTuple):
    """A figure of the report.

    Attributes:
        name: the name of its file, without extension.
        title: the heading of its section.
        caption: a description.
        figure: None if it could not be drawn, in which case the caption gives the reason.
        file: the name of its file, once it is written.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None
    file: str = ""


def pictures(
    groups: Sequence[Group], curves: Mapping[str, Mapping[str, Curve]], trust: tuple[str, ...] = ()
) -> Iterator[Picture]:
    """Draw all figures for which the runs of a section have data.

    Args:
        groups: the settings.
        curves: slug of a run -> its curves by tag.
        trust: packages of your own whose classes the checkpoints may name.
    """
    drawn = leading(groups)
    omitted = f" Only the {len(drawn)} of {len(groups)} settings with the lowest nelbo." if drawn != groups else ""
    for draw in (rate_distortion, metrics_against_options, disentanglement, partial(nelbo_curves, curves=curves)):
        yield from (picture._replace(caption=picture.caption + omitted) for picture in draw(drawn))
    yield from image_grids(groups, trust)


def leading(groups: Sequence[Group]) -> Sequence[Group]:
    """Return the settings with the lowest nelbo in their order, as many as a figure can tell apart."""
    nelbo = [group.mean("test/nelbo") for group in groups]
    order = sorted(range(len(groups)), key=lambda i: (math.isnan(nelbo[i]), nelbo[i]))
    return [groups[i] for i in sorted(order[:MAX_SETTINGS])]


def rate_distortion(groups: Sequence[Group]) -> Iterator[Picture]:
    """Draw the rate-distortion plane."""
    if series := points(groups, "test/rate", "test/distortion"):
        figure = sweeps.rate_distortion(series, "Rate and distortion of the test images")
        caption = f"One point per setting, the mean over its seeds. Dotted lines have equal nelbo. {error_bars(groups)}"
        yield Picture("rate_distortion", "Rate-distortion plane", caption, figure)


def metrics_against_options(groups: Sequence[Group]) -> Iterator[Picture]:
    """Plot metrics against β and against the latent dimension, if several values were used."""
    for key, name in SWEPT_OPTIONS.items():
        with_key = [group for group in groups if isinstance(group.options.get(key), int | float)]
        plotted = {main.label: metric for metric, main in MAIN_METRICS.items() if main.plotted}
        series = {label: points(with_key, key, metric, exclude=(key,)) for label, metric in plotted.items()}
        panels = {label: lines for label, lines in series.items() if lines}
        if len({group.options[key] for group in with_key}) > 1 and panels:
            figure = sweeps.metrics_against(panels, name, f"Metrics against {name}")
            yield Picture(f"against_{key}", f"Metrics against {name}", error_bars(groups), figure)


def disentanglement(groups: Sequence[Group]) -> Iterator[Picture]:
    """Plot disentanglement against distortion, if it was evaluated."""
    if series := points(groups, "test/distortion", MIG):
        title = "Disentanglement and distortion"
        figure = sweeps.trade_off(series, "distortion, nats per image", "MIG", title)
        yield Picture("disentanglement", title, error_bars(groups), figure)


def nelbo_curves(groups: Sequence[Group], curves: Mapping[str, Mapping[str, Curve]]) -> Iterator[Picture]:
    """Plot the nelbo against the number of training images seen."""
    by_group = {}
    for group in groups:
        run_curves = [curves.get(run.slug, {}) for run in group.runs]
        tags = ("train/nelbo", "val/nelbo")
        nelbo = {tag: mean_curve([c[tag] for c in run_curves if tag in c]) for tag in tags}
        if any(nelbo.values()):
            by_group[escape_mathtext(group.label())] = nelbo
    if by_group:
        title = "Nelbo against training images seen"
        caption = "Mean over seeds. Solid lines: training; dashed lines: validation."
        yield Picture("nelbo", title, caption, sweeps.compare_curves(by_group, "nelbo, nats per image", title))


def image_grids(groups: Sequence[Group], trust: tuple[str, ...]) -> Iterator[Picture]:
    """Show images of the first seed of each setting side by side, for settings with the data of the first one."""
    data = [tuple((k, v) for k, v in g.runs[0].options.items() if k.startswith("data")) for g in groups]
    same_data = [group for group, options in zip(groups, data, strict=True) if options == data[0]]
    shown = {escape_mathtext(g.label()) or "model": g.runs[0].folder for g in same_data[:MAX_MODELS]}
    if not shown:
        return
    omitted = len(groups) - len(shown)
    caption = "The best checkpoint of the first seed of each setting."
    if omitted:
        caption += f" {omitted} further settings are not shown: at most {MAX_MODELS} are, and only for the same data."
    try:
        for name, figure in grids(shown, trust).items():
            yield Picture(f"compare_{name}", name.capitalize(), caption, figure)
    except UserError as error:
        yield Picture("compare", "Images side by side", visible(f"Not drawn: {one_line(error)}"), None)


def points(groups: Sequence[Group], x: str, y: str, exclude: tuple[str, ...] = ("beta",)) -> dict[str, list[Point]]:
    """Return one series of points per set of groups that differ only in the excluded options.

    The values of the excluded options are written next to the points, unless they are on the x-axis.

    Args:
        groups: in order.
        x: a metric or an option.
        y: a metric.
        exclude: options that differ within a series.
    """
    series: dict[str, list[Point]] = {}
    for group in groups:
        if not group.values(y) or (x not in group.options and not group.values(x)):
            continue
        annotated = [key for key in exclude if key != x and group.options.get(key) is not None]
        note = ", ".join(f"{SWEPT_OPTIONS.get(key, key)} = {group.options[key]}" for key in annotated)
        option = group.options.get(x)
        position = float(option) if isinstance(option, int | float) else group.mean(x)
        point = Point(position, group.mean(y), group.half_width(x), group.half_width(y), escape_mathtext(note))
        series.setdefault(escape_mathtext(group.label(exclude)), []).append(point)
    return series


def error_bars(groups: Sequence[Group]) -> str:
    """Describe the error bars."""
    most = max((len(group.runs) for group in groups), default=0)
    return "Crosses: 95% confidence interval of the mean over seeds (Student's t)." if most > 1 else "One seed each."
