"""Which figures a set of runs asks for."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from vae_lightning.errors import UserError
from vae_lightning.figures import sweeps
from vae_lightning.figures.sweeps import Point
from vae_lightning.report.curves import curves, mean_curve
from vae_lightning.report.grids import grids
from vae_lightning.report.table import Group

SWEPT = {"beta": "β", "latent_dim": "latent dimension"}
PANELS = (  # the metrics that are drawn against what was swept, where they are there
    "test/nelbo",
    "test/distortion",
    "test/rate",
    "likelihood/log_px",
    "information/active_units",
    "disentanglement/mig",
)
MIG = "disentanglement/mig"
MOST_SHOWN = 9  # models in a grid


class Picture(NamedTuple):
    """A figure of the report.

    Attributes:
        name: of its file, without the ending.
        title: of its section.
        caption: what it shows.
        figure: None where it could not be drawn; the caption then says why.
    """

    name: str
    title: str
    caption: str
    figure: Figure | None


def pictures(groups: Sequence[Group], trust: tuple[str, ...] = ()) -> Iterator[Picture]:
    """All that make sense."""
    yield from plane(groups)
    yield from swept(groups)
    yield from trade_off(groups)
    yield from bounds(groups)
    yield from side_by_side(groups, trust)


def plane(groups: Sequence[Group]) -> Iterator[Picture]:
    """The rate-distortion plane."""
    if series := points(groups, "test/rate", "test/distortion"):
        figure = sweeps.rate_distortion(series, "Rate and distortion of the test images")
        caption = f"A point a setting, the mean over its seeds; dotted lines of equal nelbo. {said(groups)}"
        yield Picture("rate_distortion", "Rate-distortion plane", caption, figure)


def swept(groups: Sequence[Group]) -> Iterator[Picture]:
    """Metrics against β and against the latent dimension, where more than one was tried."""
    for key, name in SWEPT.items():
        with_key = [group for group in groups if isinstance(group.options.get(key), int | float)]
        panels = {}
        for metric in PANELS:
            if series := points(with_key, key, metric, without=(key,)):
                panels[metric] = series
        if len({group.options[key] for group in with_key}) > 1 and panels:
            figure = sweeps.against(panels, name, f"Against {name}")
            yield Picture(f"against_{key}", f"Against {name}", said(groups), figure)


def trade_off(groups: Sequence[Group]) -> Iterator[Picture]:
    """Disentanglement against reconstruction, where it was evaluated."""
    if series := points(groups, "test/distortion", MIG):
        figure = sweeps.trade_off(series, "distortion, nats per image", "MIG", "Disentanglement and reconstruction")
        yield Picture("disentanglement", "Disentanglement against reconstruction", said(groups), figure)


def bounds(groups: Sequence[Group]) -> Iterator[Picture]:
    """The evidence lower bound against the training images seen."""
    drawn = {}
    for group in groups:
        found = [curves(run.folder, "train/nelbo", "val/nelbo") for run in group.runs]
        of_splits = {
            tag: {x: -y for x, y in mean_curve([c[tag] for c in found if tag in c]).items()}
            for tag in ("train/nelbo", "val/nelbo")
        }
        if any(of_splits.values()):
            drawn[group.label()] = of_splits
    if drawn:
        caption = "ELBO = \N{MINUS SIGN}nelbo, the mean over seeds: training solid, validation dashed."
        figure = sweeps.bound_curves(drawn, "ELBO against training images seen")
        yield Picture("elbo", "ELBO against training images seen", caption, figure)


def side_by_side(groups: Sequence[Group], trust: tuple[str, ...]) -> Iterator[Picture]:
    """What the first seed of each setting makes of the same images, for the data of the first."""
    data = [tuple((k, v) for k, v in g.runs[0].options.items() if k.startswith("data")) for g in groups]
    alike = [group for group, its in zip(groups, data, strict=True) if its == data[0]]
    shown = {group.label() or "model": group.runs[0].folder for group in alike[:MOST_SHOWN]}
    if not shown:
        return
    left_out = len(groups) - len(shown)
    caption = "The best checkpoint of the first seed of each setting."
    if left_out:
        caption += f" {left_out} more settings, or those on other data, are left out here."
    try:
        for name, figure in grids(shown, trust).items():
            yield Picture(f"compare_{name}", name.capitalize(), caption, figure)
    except UserError as error:
        yield Picture("compare", "Images side by side", f"Not drawn: {error}", None)


def points(groups: Sequence[Group], x: str, y: str, without: tuple[str, ...] = ("beta",)) -> dict[str, list[Point]]:
    """A series for all groups that are alike but for `without`, which is written beside the points where it is not x.

    Args:
        groups: in order.
        x: a metric, or an option.
        y: a metric.
        without: options that differ within a series.
    """
    series: dict[str, list[Point]] = {}
    for group in groups:
        if not group.values(y) or (x not in group.options and not group.values(x)):
            continue
        note = ", ".join(f"{SWEPT.get(key, key)} = {group.options[key]}" for key in without if noted(group, key, x))
        option = group.options.get(x)
        at = float(option) if isinstance(option, int | float) else group.mean(x)
        point = Point(at, group.mean(y), group.half_width(x), group.half_width(y), note)
        series.setdefault(group.label(without), []).append(point)
    return series


def noted(group: Group, key: str, x: str) -> bool:
    """Whether a value is written beside the point."""
    return key != x and group.options.get(key) is not None


def said(groups: Sequence[Group]) -> str:
    """What the crosses are."""
    most = max((len(group.runs) for group in groups), default=0)
    return "Crosses: the 95% interval of the mean over seeds (Student's t)." if most > 1 else "One seed each."
