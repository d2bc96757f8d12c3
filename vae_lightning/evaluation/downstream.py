"""Accuracy of simple classifiers trained on the latents of a run, and of its clusters."""

from vae_lightning import metrics
from vae_lightning.evaluation.context import EvaluationContext, encode
from vae_lightning.evaluation.results import Result, Results, unavailable
from vae_lightning.priors import MixturePrior

CLUSTER_METRICS = ("clustering_accuracy", "clustering_nmi")


def downstream(context: EvaluationContext) -> Results:
    """Compute the label accuracy of a linear probe and of nearest neighbors, and the agreement of clusters and labels.

    Probe and neighbors are fitted on training images.
    """
    settings = context.settings
    if context.y is None:
        return unavailable(("linear_probe", "knn", "majority", *CLUSTER_METRICS), "these images have no labels")
    train = context.draw_images("train", settings.probe_images)
    train_codes = encode(context.model, context.batches(train), settings.seed).mean
    data = (train_codes, train.y, context.encoded.mean, context.y)
    note = f"accuracy; posterior means of {len(train_codes):,} training and {len(context.x):,} test images"
    neighbors = min(5, len(train_codes))
    return {
        "linear_probe": Result(metrics.linear_probe(*data), note=note),
        "knn": Result(metrics.knn_accuracy(*data, neighbors=neighbors), note=f"accuracy; {neighbors} neighbors"),
        "majority": Result(
            metrics.majority(train.y, context.y), note="accuracy of always predicting the most frequent value"
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
    clusters = mixture.log_joint(context.encoded.mean.to(context.device)).argmax(1)
    note = f"{len(clusters.unique())} of {len(mixture.mu)} clusters in use"
    return {
        "clustering_accuracy": Result(metrics.clustering_accuracy(clusters, context.y), note=note),
        "clustering_nmi": Result(metrics.clustering_nmi(clusters, context.y), note="mutual information, 0 to 1"),
    }
