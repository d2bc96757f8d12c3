"""The metrics of a run, by their names in `metrics.json`: which of them summarize it, and which value is better."""

from typing import NamedTuple


class MainMetric(NamedTuple):
    """A metric that summarizes a run, and so has a column in every comparison of evaluations.

    Attributes:
        label: its name in tables and figures.
        in_report: whether the table of a report shows it at first.
        plotted: whether a report plots it against swept options.
    """

    label: str
    in_report: bool = False
    plotted: bool = False


MAIN_METRICS = {
    "test/nelbo": MainMetric("nelbo", in_report=True, plotted=True),
    "test/distortion": MainMetric("distortion", in_report=True, plotted=True),
    "test/rate": MainMetric("rate", in_report=True, plotted=True),
    "likelihood/log_px": MainMetric("log p(x)", in_report=True, plotted=True),
    "likelihood/nelbo": MainMetric("nelbo"),
    "information/active_units": MainMetric("active units", plotted=True),
    "disentanglement/mig": MainMetric("MIG", in_report=True, plotted=True),
    "samples/fid": MainMetric("FID", in_report=True, plotted=True),
    "samples/kid": MainMetric("KID"),
    "samples/precision": MainMetric("precision", plotted=True),
    "samples/recall": MainMetric("recall", plotted=True),
    "samples/density": MainMetric("density"),
    "samples/coverage": MainMetric("coverage"),
    "downstream/linear_probe": MainMetric("linear probe", in_report=True),
    "anomaly/auroc_log_px": MainMetric("AUROC of log p(x)"),
    "anomaly/auroc_typicality": MainMetric("AUROC of typicality"),
}

# Metrics of which a lower or a higher value is better. Of others, such as the rate, neither is.
LOWER_IS_BETTER = (
    *("test/nelbo", "test/distortion", "likelihood/nelbo", "likelihood/distortion", "likelihood/bits_per_dim"),
    *("samples/mse", "samples/fid", "samples/kid"),
)
HIGHER_IS_BETTER = (
    "likelihood/log_px",
    "likelihood/ais_log_px",
    "disentanglement/",
    "samples/",
    "downstream/",
    "anomaly/auroc_",
    *("val/mig", "val/dci_disentanglement", "val/factor_vae_metric", "val/sap", "val/linear_probe", "val/knn"),
)
UNORDERED = (  # or not about the model, such as the accuracy of the classifier that compares samples
    *("disentanglement/gaussian_", "disentanglement/mutual_information_score"),
    *("downstream/majority", "samples/classifier_accuracy"),
)


def better_direction(metric: str) -> str:
    """Return which value of a metric is better: `lower`, `higher`, or an empty string if neither is."""
    if metric in LOWER_IS_BETTER:
        return "lower"
    return "higher" if metric.startswith(HIGHER_IS_BETTER) and not metric.startswith(UNORDERED) else ""


def monitor_mode(metric: str | None) -> str:
    """Return how Lightning finds the best value of a metric: `max` if a higher value is better, and else `min`."""
    return "max" if metric and better_direction(metric) == "higher" else "min"
