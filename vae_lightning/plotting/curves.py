"""Training curves (vae-cvae-mnist, Figure 1)."""

from collections.abc import Iterator, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

from vae_lightning.plotting.style import gray, new_figure, styled

Curves = Mapping[int, Mapping[str, float]]  # training images seen -> metric -> value
UNITS = dict.fromkeys(("nelbo", "distortion", "rate"), "nats per image") | {"recon_kl_ratio": "dimensionless"}
TITLES = {"nelbo": "negative ELBO", "rate": "rate (KL)", "recon_kl_ratio": "distortion / rate"}
OBJECTIVE = "objective"  # plotted if training logs none of the others, as that of a learned prior
IMAGES_SEEN = "training images seen"


@styled
def training_curves(train: Curves, val: Curves, title: str) -> Figure:
    """Plot nelbo, distortion, rate and their ratio against the number of training images seen.

    The warm-up of β is shaded, and the epoch with the lowest objective is marked.

    Args:
        train: the training metrics at the end of each epoch. The metric `warmup` is the factor on β in that epoch.
        val: the validation metrics, empty if there is no validation.
        title: above the figure.
    """
    names = [name for name in UNITS if any(name in metrics for metrics in train.values())] or [OBJECTIVE]
    columns = min(len(names), 2)
    rows = -(-len(names) // columns)
    figure = new_figure(max(3.6, 3.2 * columns), 2.1 * rows, title)
    best = best_epoch(train, val)
    for i, name in enumerate(names, 1):
        axes = figure.add_subplot(rows, columns, i, title=TITLES.get(name, name), xlabel=IMAGES_SEEN, xscale="log")
        axes.set_ylabel(UNITS.get(name, "loss per image"))
        for (label, curves), line in zip({"train": train, "val": val}.items(), ("-", "--"), strict=True):
            points = {x: metrics[name] for x, metrics in curves.items() if name in metrics}
            if points:
                axes.plot(
                    list(points), list(points.values()), line, marker="o" if len(points) < 20 else "", label=label
                )
        if best:
            axes.axvline(best, color=gray(0.5), linewidth=0.8, linestyle=":", zorder=0, label="best epoch")
        shade_warmup(axes, train)
        format_image_counts(axes)
    max(figure.axes, key=lambda axes: len(axes.get_legend_handles_labels()[1])).legend()
    return figure


def best_epoch(train: Curves, val: Curves) -> int | None:
    """Return the number of images seen when the objective was lowest, or None if it was not recorded."""
    objectives = {x: metrics[OBJECTIVE] for x, metrics in (val or train).items() if OBJECTIVE in metrics}
    return min(objectives, key=objectives.__getitem__, default=None)


def shade_warmup(axes: Axes, train: Curves) -> None:
    """Shade the epochs in which β is below its final value."""
    first = min(train)  # a logarithmic axis has no 0, where a warm-up starts
    for i, (start, end) in enumerate(warmup_spans(train)):
        axes.axvspan(max(start, first), end, color=gray(0.88), linewidth=0, zorder=0, label="" if i else "warm-up")


def warmup_spans(train: Curves) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each span in which the warm-up factor is below 1, in training images seen."""
    start, previous = None, 0
    for seen, metrics in sorted(train.items()):
        warming = metrics.get("warmup", 1.0) < 1
        if warming and start is None:
            start = previous
        if not warming and start is not None:
            yield start, previous
            start = None
        previous = seen
    if start is not None:
        yield start, previous


def format_image_counts(axes: Axes) -> None:
    """Abbreviate the numbers of images on the x axis, linear or logarithmic: 500k, 1.5M."""
    if axes.get_xscale() == "log":
        low, high = axes.get_xlim()
        ratio = high / low
        # fewer decades than that contain hardly any round numbers
        log_locator = LogLocator(subs=(1, 2, 5) if ratio < 150 else (1,))
        axes.xaxis.set_major_locator(MaxNLocator(4) if ratio < 5 else log_locator)
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.locator_params(axis="x", nbins=4)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
