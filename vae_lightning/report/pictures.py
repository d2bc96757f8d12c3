"""The figures of a report."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from matplotlib.figure import Figure

from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.checkpointing.trust import Trust, UntrustedError
from vae_lightning.errors import UserError, one_line
from vae_lightning.figures.context import GREEK
from vae_lightning.io.escaping import escape_mathtext, unique_slugs, visible
from vae_lightning.plotting import sweeps
from vae_lightning.plotting.sweeps import Point
from vae_lightning.report.curves import Curve, mean_curve
from vae_lightning.report.grids import ModelImages, grids, model_images
from vae_lightning.report.table import Group
from vae_lightning.runs.artifacts import is_finite
from vae_lightning.runs.metrics import MAIN_METRICS

OPTION_NAMES = {**GREEK, "latent_dim": "latent dimension"}  # in figures; others as in the configuration
MAX_SWEPT = 5  # options that metrics are plotted against
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
        untrusted: the packages to trust for the runs that it does not show.
        file: the name of its file, once it is written.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None
    untrusted: Sequence[str] = ()
    file: str = ""


def pictures(
    groups: Sequence[Group], curves: Mapping[str, Mapping[str, Curve]], trust: Trust = ()
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
    """Plot metrics against each swept option."""
    plotted = {main.label: metric for metric, main in MAIN_METRICS.items() if main.plotted}
    keys = [key for key in groups[0].options if is_swept(key, groups)][:MAX_SWEPT]
    for key, slug in zip(keys, unique_slugs(keys), strict=True):
        with_key = [group for group in groups if is_finite(group.options[key])]
        series = {label: points(with_key, key, metric, along=key) for label, metric in plotted.items()}
        if panels := {label: lines for label, lines in series.items() if lines}:
            name = OPTION_NAMES.get(key, key)
            title = f"Metrics against {name}"
            figure = sweeps.metrics_against(panels, escape_mathtext(name), escape_mathtext(title))
            yield Picture(f"against_{slug}", title, error_bars(groups), figure)


def is_swept(key: str, groups: Sequence[Group]) -> bool:
    """Return whether an option, other than a seed, has several numbers as values among settings of the same choices.

    A number that differs only because the models do, or their networks, is not swept.
    """
    choices = [tuple(value for value in group.options.values() if not is_finite(value)) for group in groups]
    numbers = {(c, g.options[key]) for c, g in zip(choices, groups, strict=True) if is_finite(g.options[key])}
    return not key.endswith("seed") and len(numbers) > len({choice for choice, _ in numbers})


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


def image_grids(groups: Sequence[Group], trust: Trust) -> Iterator[Picture]:
    """Show images of the first seed of each setting side by side, for settings with the data of the first one."""
    data = [tuple((k, v) for k, v in g.runs[0].options.items() if k.startswith("data")) for g in groups]
    same_data = [group for group, options in zip(groups, data, strict=True) if options == data[0]]
    models: dict[str, ModelImages] = {}
    errors: dict[str, str] = {}
    untrusted: list[str] = []
    for group in same_data[:MAX_MODELS]:
        name = group.label() or "model"
        try:
            models[escape_mathtext(name)] = model_images(load_run(group.runs[0].folder, trust=trust))
        except UntrustedError as error:
            errors[name] = visible(error.problem)
            untrusted += error.packages
        except UserError as error:
            errors[name] = visible(one_line(error))
    if not models:
        caption = f"Not drawn: {next(iter(errors.values()))}"
        yield Picture("compare", "Images side by side", caption, None, untrusted)
        return
    caption = "The best checkpoint of the first seed of each setting."
    if omitted := len(groups) - len(models) - len(errors):
        caption += f" {omitted} further settings are not shown: at most {MAX_MODELS} are, and only for the same data."
    if errors:
        caption += f" Not shown: {'; '.join(f'{name} ({reason})' for name, reason in errors.items())}."
    for name, figure in grids(models).items():
        yield Picture(f"compare_{name}", name.capitalize(), caption, figure, untrusted)


def points(groups: Sequence[Group], x: str, y: str, along: str = "beta") -> dict[str, list[Point]]:
    """Return one series of points per set of groups that differ only in one option.

    The values of this option are written next to the points, unless it is on the x-axis.

    Args:
        groups: in order.
        x: a metric, or the option.
        y: a metric.
        along: the option that differs within a series.
    """
    series: dict[str, list[Point]] = {}
    for group in groups:
        if not group.values(y) or (x not in group.options and not group.values(x)):
            continue
        option = group.options.get(along)
        note = "" if x == along or option is None else f"{OPTION_NAMES.get(along, along)} = {option}"
        position = float(option) if x == along and isinstance(option, int | float) else group.mean(x)
        point = Point(position, group.mean(y), group.half_width(x), group.half_width(y), escape_mathtext(note))
        series.setdefault(escape_mathtext(group.label((along,))), []).append(point)
    return series


def error_bars(groups: Sequence[Group]) -> str:
    """Describe the error bars."""
    most = max((len(group.runs) for group in groups), default=0)
    return "Crosses: 95% confidence interval of the mean over seeds (Student's t)." if most > 1 else "One seed each."
