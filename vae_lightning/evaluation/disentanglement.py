"""Disentanglement metrics of a run."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from vae_lightning import metrics
from vae_lightning.errors import UserError
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.results import GIVEN_LABELS, Result, Results, unavailable
from vae_lightning.evaluation.settings import Settings
from vae_lightning.metrics.disentanglement.mig import BINS
from vae_lightning.models import ELBOModule
from vae_lightning.models.encoding import Encoded, encode


class Metric(NamedTuple):
    """A metric that is averaged over repeats.

    Attributes:
        names: of the numbers that it returns.
        function: codes, factors, seed -> one or several numbers.
        images: the maximum number of images per repeat.
        note: a description of its settings.
    """

    names: tuple[str, ...]
    function: Callable[[Any, Any, int], Any]
    images: int
    note: str


def factor_metrics(settings: Settings) -> list[Metric]:
    """Return the metrics of codes and factors."""
    counts = {"train": settings.points, "test": settings.points // 2}
    points = f"{counts['train']:,} training and {counts['test']:,} test points"
    all_images, halved_images = settings.factor_images, settings.halved_images
    halves = "trained on half, tested on half"
    scores = ("disentanglement", "completeness", "informativeness")
    boosted_dci = Metric(
        tuple(f"dci_{score}_gbt" for score in scores),
        lambda z, y, seed: metrics.dci(z, y, boosted=True, trees=settings.trees, seed=seed),
        halved_images,
        f"boosting of {settings.trees} stages, {halves}",
    )
    return [
        Metric(("mig",), lambda z, y, _: metrics.mig(z, y), all_images, f"{BINS} bins"),
        Metric(("mig_sup",), lambda z, y, _: metrics.mig_sup(z, y), all_images, f"{BINS} bins"),
        Metric(
            tuple(f"dci_{score}" for score in scores),
            lambda z, y, seed: metrics.dci(z, y, trees=settings.trees, seed=seed),
            halved_images,
            f"forests of {settings.trees} trees, {halves}",
        ),
        *[boosted_dci] * settings.boosting,
        Metric(("sap",), lambda z, y, seed: metrics.sap(z, y, seed=seed), halved_images, f"thresholds, {halves}"),
        Metric(
            ("sap_svm",),
            lambda z, y, seed: metrics.sap(z, y, svm=True, seed=seed),
            halved_images,
            f"linear support vector machines, {halves}",
        ),
        Metric(
            ("beta_vae_metric",),
            lambda z, y, seed: metrics.beta_vae_metric(z, y, standardize=settings.standardize, seed=seed, **counts),
            all_images,
            f"64 pairs, {points}, {'' if settings.standardize else 'not '}standardized",
        ),
        Metric(
            ("factor_vae_metric",),
            lambda z, y, seed: metrics.factor_vae_metric(z, y, seed=seed, **counts),
            all_images,
            f"groups of 64, {points}",
        ),
        Metric(("modularity",), lambda z, y, _: metrics.modularity(z, y), all_images, f"{BINS} bins"),
        Metric(("explicitness",), lambda z, y, seed: metrics.explicitness(z, y, seed=seed), halved_images, halves),
        Metric(("irs",), lambda z, y, _: metrics.irs(z, y), all_images, "quantile 0.99"),
        Metric(
            ("info_modularity", "info_compactness", "info_explicitness"),
            lambda z, y, seed: metrics.info_mec(z, y, seed=seed),
            all_images,
            "10 neighbors; explicitness without held-out images",
        ),
    ]


def unsupervised_metrics(settings: Settings) -> list[Metric]:
    """Return the metrics of codes alone."""
    names = ("gaussian_total_correlation", "gaussian_wasserstein_correlation")
    return [
        Metric(names[:1], lambda z, *_: metrics.gaussian_total_correlation(z), settings.factor_images, "nats"),
        Metric(names[1:], lambda z, *_: metrics.gaussian_wasserstein_correlation(z), settings.factor_images, "squared"),
        Metric(
            (f"{names[1]}_norm",),
            lambda z, *_: metrics.gaussian_wasserstein_correlation(z, normalized=True),
            settings.factor_images,
            "divided by the total variance",
        ),
        Metric(
            ("mutual_information_score",),
            lambda z, *_: metrics.mutual_information_score(z),
            settings.factor_images,
            f"nats; {BINS} bins",
        ),
    ]


def disentanglement(context: EvaluationContext, peers: Sequence[ELBOModule] = ()) -> Results:
    """Compute all metrics of posterior means, with factors if there are any, and UDR among runs with other seeds."""
    mean, y = context.encoded.mean, context.y
    if y is None:
        results = without_factors(context.settings, "these images have no factors")
    elif context.model.encoder_is_given_labels:
        results = without_factors(context.settings, GIVEN_LABELS)
    elif y.dim() == 1:
        results = without_factors(context.settings, "the labels are classes, not several factors of variation")
    else:
        results = average(context, factor_metrics(context.settings), mean, y) | probabilistic_mig(context)
    return results | average(context, unsupervised_metrics(context.settings), mean, mean) | udr_result(context, peers)


def without_factors(settings: Settings, reason: str) -> Results:
    """Return no value for the metrics of codes and factors, for one reason."""
    names = [name for metric in factor_metrics(settings) for name in metric.names]
    return unavailable((*names, "probabilistic_mig"), reason)


def average(context: EvaluationContext, table: Sequence[Metric], codes: Any, factors: Any) -> Results:
    """Compute the mean and the standard deviation of each metric over repeats."""
    settings = context.settings
    results: Results = {}
    for metric in table:
        try:
            repeats = metrics.over_repeats(
                metric.function,
                codes,
                factors,
                samples=metric.images,
                repeats=settings.repeats,
                seed=settings.seed,
                track=context.track(metric.names[0]),
            )
        except UserError as error:  # for example if only one factor varies
            results |= unavailable(metric.names, str(error))
            continue
        note = f"{settings.repeats} x {repeats.n:,} images; {metric.note}"
        results |= {
            name: Result(float(mean), std=float(std), note=note)
            for name, mean, std in zip(metric.names, repeats.mean, repeats.std, strict=True)
        }
    return results


def probabilistic_mig(context: EvaluationContext) -> Results:
    """Compute the MIG of draws from q(z|x), which needs Gaussian posteriors."""
    mean, logvar = context.encoded.mean, context.encoded.logvar
    names = ("probabilistic_mig",)
    if logvar is None or not context.model.posterior.factorizes:
        return unavailable(names, f"q(z|x) of {context.name} is not a diagonal Gaussian")

    def function(codes: Any, factors: Any, seed: int) -> float:
        return metrics.probabilistic_mig(codes[:, 0], codes[:, 1], factors, seed=seed)

    metric = Metric(names, function, context.settings.factor_images, "densities of q(z|x) instead of bins")
    return average(context, [metric], torch.stack([mean, logvar], dim=1), context.y)


def udr_result(context: EvaluationContext, peers: Sequence[ELBOModule]) -> Results:
    """Compute the UDR of this run among runs with other seeds."""
    if not peers:
        return unavailable(("udr",), "it compares runs with different seeds. Pass them with --peers RUN ...")
    encoded = [context.encoded]
    for peer in peers:
        encoded.append(encode(peer.to(context.device), context.batches(context.images), context.settings.seed))
    score = udr_scores(encoded)[0]
    return {"udr": Result(score, note=f"among {len(encoded)} runs, Spearman, {len(context.x):,} images")}


def udr_scores(encoded: Sequence[Encoded]) -> list[float]:
    """Return the UDR of each model, from their encodings of the same images; the KL is used if all have it."""
    kl = [e.kl.mean(0) for e in encoded if e.kl is not None]
    return metrics.udr([e.mean for e in encoded], kl if len(kl) == len(encoded) else None).tolist()
