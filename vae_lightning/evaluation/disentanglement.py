"""Disentanglement metrics of a run."""

from collections.abc import Callable, Sequence
from typing import Any

from vae_lightning import metrics
from vae_lightning.data import Batch
from vae_lightning.errors import UserError
from vae_lightning.evaluation.context import EvaluationContext, encode
from vae_lightning.evaluation.results import Result, Results, unavailable
from vae_lightning.evaluation.settings import Settings
from vae_lightning.metrics.disentanglement.mig import BINS
from vae_lightning.models import ELBOModule

Metric = Callable[[Any, Any, int], Any]  # codes, factors, seed -> one or several numbers


def factor_metrics(settings: Settings) -> list[tuple[tuple[str, ...], Metric, str]]:
    """Return the names of the numbers of each metric, the metric, and a description of its settings."""
    counts = {"train": settings.points, "test": settings.points // 2}
    points = f"{counts['train']:,} training and {counts['test']:,} test points"
    halves = "trained on half, tested on half"
    return [
        (("mig",), lambda z, y, seed: metrics.mig(z, y), f"{BINS} bins"),
        (
            ("dci_disentanglement", "dci_completeness", "dci_informativeness"),
            lambda z, y, seed: metrics.dci(z, y, trees=settings.trees, seed=seed),
            f"forests of {settings.trees} trees, {halves}",
        ),
        (("sap",), lambda z, y, seed: metrics.sap(z, y, seed=seed), f"thresholds, {halves}"),
        (
            ("beta_vae_metric",),
            lambda z, y, seed: metrics.beta_vae_metric(z, y, seed=seed, **counts),
            f"64 pairs, {points}",
        ),
        (
            ("factor_vae_metric",),
            lambda z, y, seed: metrics.factor_vae_metric(z, y, seed=seed, **counts),
            f"groups of 64, {points}",
        ),
        (("modularity",), lambda z, y, seed: metrics.modularity(z, y), f"{BINS} bins"),
        (("explicitness",), lambda z, y, seed: metrics.explicitness(z, y, seed=seed), halves),
    ]


def disentanglement(context: EvaluationContext, peers: Sequence[ELBOModule] = ()) -> Results:
    """Compute all metrics of posterior means and factors, and UDR if there are runs with other seeds."""
    settings = context.settings
    table = factor_metrics(settings)
    all_names = tuple(name for names, _, _ in table for name in names)
    udr = udr_result(context, peers)
    if context.y is None:
        return unavailable(all_names, "these images have no factors") | udr
    if context.y.dim() == 1:
        return unavailable(all_names, "the labels are classes, not several factors of variation") | udr
    results: Results = {}
    for names, metric, description in table:
        try:
            repeats = metrics.over_repeats(
                metric,
                context.encoded.mean,
                context.y,
                samples=settings.factor_images,
                repeats=settings.repeats,
                seed=settings.seed,
                track=context.track(names[0]),
            )
        except UserError as error:  # for example if only one factor varies
            results |= unavailable(names, str(error))
            continue
        note = f"{settings.repeats} x {repeats.n:,} images; {description}"
        results |= {
            name: Result(float(mean), std=float(std), note=note)
            for name, mean, std in zip(names, repeats.mean, repeats.std, strict=True)
        }
    return results | udr


def udr_result(context: EvaluationContext, peers: Sequence[ELBOModule]) -> Results:
    """Compute the UDR of this run among runs with other seeds."""
    if not peers:
        return unavailable(("udr",), "it compares runs with different seeds. Pass them with --peers RUN ...")
    images = Batch(context.x, context.y)
    encoded = [context.encoded]
    for peer in peers:
        encoded.append(encode(peer.to(context.device), context.batches(images), context.settings.seed))
    kl = [e.kl.mean(0) for e in encoded if e.kl is not None]
    scores = metrics.udr([e.mean for e in encoded], kl if len(kl) == len(encoded) else None)
    return {"udr": Result(float(scores[0]), note=f"among {len(encoded)} runs, Spearman, {len(context.x):,} images")}
