"""Accuracy of simple classifiers trained on the latents of a run."""

from vae_lightning import metrics
from vae_lightning.evaluation.context import EvaluationContext, encode
from vae_lightning.evaluation.results import Result, Results, unavailable


def downstream(context: EvaluationContext) -> Results:
    """Compute the label accuracy of a linear probe and of nearest neighbors, both fitted on training images."""
    settings = context.settings
    if context.y is None:
        return unavailable(("linear_probe", "knn", "majority"), "these images have no labels")
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
    }
