"""Compute each disentanglement metric of one representation, for docs/metric_names.md: `make metric-values`."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_lightning.evaluation.disentanglement import factor_metrics, unsupervised_metrics
from vae_lightning.evaluation.settings import Settings
from vae_lightning.metrics import probabilistic_mig, udr

PAGE = Path(__file__).with_name("metric_names.md")
TABLE = re.compile(r"(?<=<!-- values -->\n).*?(?=<!-- /values -->)", re.DOTALL)
SETTINGS = Settings(points=2_000, boosting=True)


def factors() -> NDArray[np.int64]:
    """Return every combination of factors with 3, 4 and 6 values ten times, (720, 3)."""
    grid = np.stack(np.meshgrid(np.arange(3), np.arange(4), np.arange(6), indexing="ij"), axis=-1).reshape(-1, 3)
    return np.tile(grid, (10, 1))


def representation() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means and log-variances of four latents, (720, 4).

    Latents 1 and 2 are two factors of variance 1, rotated by 45 degrees. Latent 3 is the third factor. Latent 4 is
    collapsed: its means are noise of standard deviation 0.01.
    """
    v = factors()
    scaled = (v - v.mean(0)) / v.std(0)
    sums = (scaled[:, :1] + scaled[:, 1:2] * [1, -1]) / np.sqrt(2)
    collapsed = 0.01 * np.random.default_rng(0).standard_normal((len(v), 1))
    return np.concatenate([sums, scaled[:, 2:], collapsed], axis=1), np.tile([-4.0, -4.0, -4.0, 0.0], (len(v), 1))


def values() -> dict[str, float]:
    """Compute each number of the group `disentanglement` once, with seed 0."""
    (mean, logvar), v = representation(), factors()
    found: dict[str, float] = {}
    for metric in (*factor_metrics(SETTINGS), *unsupervised_metrics(SETTINGS)):
        numbers = np.atleast_1d(np.asarray(metric.function(mean, v, 0), dtype=float))
        found |= dict(zip(metric.names, numbers.tolist(), strict=True))
    found["probabilistic_mig"] = probabilistic_mig(mean, logvar, v)
    found["udr"] = float(udr([mean, v])[0])
    return found


def table() -> str:
    """Return the values as a Markdown table."""
    rows = [f"| `{name}` | {value:.3f} |" for name, value in values().items()]
    return "\n".join(["| number | value |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda _: table(), page), encoding="utf-8")
