"""Accuracy of simple classifiers trained on the latents of a run, and of its clusters."""

from collections.abc import Callable
from functools import partial
from typing import Any

from vae_lightning import metrics
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.results import GIVEN_LABELS, Result, Results, mean_result, unavailable
from vae_lightning.evaluation.settings import Settings
from vae_lightning.models.encoding import encode
from vae_lightning.priors import MixturePrior

CLUSTER_METRICS = ("clustering_accuracy", "clustering_nmi")
FEW_LABELS = 100
Accuracy = Callable[[Any, Any, Any, Any], metrics.MeanAndError]


def downstream(context: EvaluationContext) -> Results:
    """Compute the accuracy of classifiers with many and few labels, and the agreement of clusters and labels.

    The classifiers are fitted on training images.
    """
    classifiers = label_classifiers(context.settings)
    names = [name for classifier in classifiers for name in (classifier, *few_label_names(classifier))]
    missing = "these images have no labels" if context.y is None else None
    if reason := GIVEN_LABELS if context.model.encoder_is_given_labels else missing:
        return unavailable((*names, "knn", "majority", *CLUSTER_METRICS), reason)
    if context.settings.split == "train":
        reason = "these images would train the classifiers that they test"
        return unavailable((*names, "knn", "majority"), reason) | clustering(context)
    train = context.draw_images("train", context.settings.probe_images)
    train_codes = encode(context.model, context.batches(train), context.settings.seed).mean
    data = (train_codes, train.y, context.encoded.mean, context.y)
    sizes = f"{len(train_codes):,} training and {len(context.x):,} {context.settings.split} images"
    note = f"accuracy; posterior means of {sizes}"
    results: Results = {}
    for name, accuracy in classifiers.items():
        results[name] = mean_result(accuracy(*data), note)
        results |= few_labels(name, accuracy, data, results[name].value, context.settings)
    neighbors = min(5, len(train_codes))
    return results | {
        "knn": mean_result(metrics.knn_accuracy(*data, neighbors=neighbors), f"accuracy; {neighbors} neighbors"),
        "majority": mean_result(
            metrics.majority(train.y, context.y), "accuracy of always predicting the most frequent value"
        ),
        **clustering(context),
    }


def clustering(context: EvaluationContext) -> Results:
    """Compare the components of a mixture prior that the posterior means belong to with the classes."""
    prior = context.model.prior
    if not isinstance(prior, MixturePrior):
        return unavailable(CLUSTER_METRICS, f"the prior of {context.name} has no clusters")
    if context.y is None or context.y.dim() > 1:
        return unavailable(CLUSTER_METRICS, "the labels are several factors, not classes")
    mixture = prior(context.model.encode, None)
    mean = context.encoded.mean[:, : mixture.mu.shape[1]]  # in a hierarchy, of the top group
    clusters = mixture.log_joint(mean.to(context.device)).argmax(1)
    note = f"{len(clusters.unique())} of {len(mixture.mu)} clusters in use"
    return {
        "clustering_accuracy": Result(metrics.clustering_accuracy(clusters, context.y), note=note),
        "clustering_nmi": Result(metrics.clustering_nmi(clusters, context.y), note="mutual information, 0 to 1"),
    }


def label_classifiers(settings: Settings) -> dict[str, Accuracy]:
    """Return the classifiers that are also trained on few labels."""
    classifiers: dict[str, Accuracy] = {"linear_probe": metrics.linear_probe}
    if settings.boosting:
        classifiers["boosted_trees"] = partial(metrics.boosted_trees, stages=settings.trees, seed=settings.seed)
    return classifiers


def few_label_names(name: str) -> tuple[str, str]:
    """Return the names of the accuracy with few labels and of its ratio to the accuracy with many."""
    return f"{name}_{FEW_LABELS}", f"{name}_efficiency"


def few_labels(name: str, accuracy: Accuracy, data: Any, many: Any, settings: Settings) -> Results:
    """Compute the accuracy with few labels, and its ratio to the accuracy with all training images of the data."""
    names, n = few_label_names(name), len(data[0])
    if n <= FEW_LABELS:
        return unavailable(names, f"there are only {n} training images")
    few = metrics.accuracy_with_few_labels(accuracy, *data, n=FEW_LABELS, repeats=settings.repeats, seed=settings.seed)
    std = float(few.std(ddof=1 if len(few) > 1 else 0))
    ratio_note = f"accuracy with {FEW_LABELS} divided by that with {n:,} training images"
    return {
        names[0]: Result(float(few.mean()), std=std, note=f"accuracy; {len(few)} x {FEW_LABELS} training images"),
        names[1]: Result(float(few.mean() / many), std=std / many, note=ratio_note)
        if many
        else Result(None, note="unavailable: the accuracy with many labels is 0"),
    }
