"""Anomaly detection: scores of images of the run and of another dataset, and how well these tell them apart."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_lightning.data import Batch
from vae_lightning.errors import as_user_error
from vae_lightning.evaluation.context import EvaluationContext, draw_index
from vae_lightning.evaluation.likelihood import importance_estimate, is_cross_entropy
from vae_lightning.evaluation.other_data import OtherData
from vae_lightning.evaluation.results import Result, Results, unavailable
from vae_lightning.io.atomic import atomic_write
from vae_lightning.io.escaping import escape_spreadsheet
from vae_lightning.metrics import LikelihoodEstimate, auroc, png_bits
from vae_lightning.models import ELBOModule

SCORES = {  # higher for anomalies
    "reconstruction": "squared error of the reconstruction",
    "log_px": "-log p(x)",
    "nelbo": "nelbo",
    "typicality": "distance of log p(x) from its mean over training images",
    "complexity": "-log2 p(x) minus the bits of a PNG file",
    "likelihood_ratio": "log p(x) of the background model minus that of the model",
}
COLUMNS = {"log_px": "neg_log_px"}  # in the file, which holds -log p(x)
SCORES_FILE = "anomaly-scores.csv"


def anomaly(
    context: EvaluationContext, against: OtherData | None = None, background: ELBOModule | None = None
) -> Results:
    """Compute the AUROC of each score, and write the scores of all images to `anomaly-scores.csv` in the run directory.

    Args:
        context: the run.
        against: the other dataset.
        background: a model of images of the same shape, for the likelihood ratio.
    """
    names = [f"auroc_{name}" for name in SCORES]
    if against is None:
        return unavailable(names, "requires --against DATA")
    if context.model.condition_dim:
        return unavailable(names, f"{context.name} requires labels, which the other images do not have")
    normal = context.variant(images=context.settings.anomaly_images)
    other = normal.variant(data=against.data)
    typical = estimate(normal.variant(split="train")).log_px.mean() if context.model.has_densities else None
    normal_scores, other_scores = (scores(images, typical, background) for images in (normal, other))
    in_bits = typical is None or not (is_cross_entropy(normal) or is_cross_entropy(other))
    if not in_bits:
        del normal_scores["complexity"], other_scores["complexity"]
    rows = [*score_rows(0, normal, normal.data.image_names(), normal_scores)]
    write_scores([*rows, *score_rows(1, other, against.image_names, other_scores)], context.run.run_dir / SCORES_FILE)
    counts = f"{len(normal.x):,} images against {len(other.x):,} of {against.name}"
    reason = f"{context.name} has no log p(x)" if typical is None else "requires --background RUN"
    results = unavailable(names, reason)
    for name, values in normal_scores.items():
        value, error = auroc(values, other_scores[name])
        results[f"auroc_{name}"] = Result(value, error=error, note=SCORES[name])
    if not in_bits:
        results |= unavailable(["auroc_complexity"], "requires log p(x) in bits, not the cross-entropy of gray images")
    results[names[0]] = results[names[0]]._replace(note=f"{SCORES['reconstruction']}; {counts}")
    return results


def scores(context: EvaluationContext, typical: Tensor | None, background: ELBOModule | None) -> dict[str, Tensor]:
    """Compute each score of the images of a context, (N,).

    Args:
        context: a model and images.
        typical: the mean of log p(x) over training images; None without log p(x), on which most scores depend.
        background: a model for the likelihood ratio.
    """
    computed = {"reconstruction": reconstruction_error(context)}
    if typical is None:
        return computed
    log_px, distortion, rate = estimate(context)
    computed |= {
        "log_px": -log_px,
        "nelbo": distortion + rate,
        "typicality": (log_px - typical).abs(),
        "complexity": -log_px / math.log(2) - png_bits(context.x),
    }
    if background is not None:
        computed["likelihood_ratio"] = estimate(context.variant(model=background)).log_px - log_px
    return computed


def estimate(context: EvaluationContext) -> LikelihoodEstimate:
    """Estimate log p(x) of the images of a context with the draws of the settings for this purpose."""
    return importance_estimate(context, len(context.x), context.settings.anomaly_samples)


def score_rows(
    label: int, context: EvaluationContext, image_names: Mapping[str, Sequence[str]], scores: dict[str, Tensor]
) -> Iterator[dict[str, Any]]:
    """Yield the scores of each image of a context, sorted by its name.

    Args:
        label: 1 for anomalies, 0 for images of the run.
        context: the images.
        image_names: the names of the images of each split; without names, images are numbered.
        scores: as returned by `scores`.
    """
    settings = context.settings
    index = draw_index(context.data, settings.split, settings.images, settings.seed)
    all_names = image_names.get(settings.split)
    names = [all_names[i] if all_names else i for i in index.tolist()]
    for i, image in sorted(enumerate(names), key=lambda item: item[1]):
        values = {COLUMNS.get(name, name): f"{score[i]:.7g}" for name, score in scores.items()}
        yield {"anomaly": label, "image": escape_spreadsheet(image), **values}


def write_scores(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Write the scores of all images as CSV.

    Raises:
        UserError: if the file cannot be written.
    """
    content = StringIO(newline="")
    writer = csv.DictWriter(content, [*rows[0]])
    writer.writeheader()
    writer.writerows(rows)
    with as_user_error(f"{file}: cannot be written ({{error}})."):
        atomic_write(content.getvalue(), file)


@torch.no_grad()
def reconstruction_error(context: EvaluationContext) -> Tensor:
    """Compute the squared error of reconstructions from posterior means, summed over pixels, (N,)."""
    errors = []
    for x, _ in context.batches(Batch(context.x, None)):
        error = context.model.as_images(x) - context.model.reconstruct(x)
        errors.append(error.square().sum((1, 2, 3)).cpu())
    return torch.cat(errors)
