"""The network in whose features samples and images are compared."""

from vae_lightning.errors import UserError
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.fingerprint import fingerprint
from vae_lightning.metrics.features import Classifier, train_classifier
from vae_lightning.metrics.samples import Inception

MAX_CLASSIFIER_IMAGES = 50_000  # more would take longer to copy than they improve the classifier

# Runs that are evaluated in one process and have the same data share one classifier.
CLASSIFIERS: dict[tuple[str, int, int, str], Classifier] = {}


def feature_network(context: EvaluationContext) -> Inception | Classifier:
    """Return the network in the settings.

    Raises:
        UserError: if it is not available.
    """
    if context.settings.features == "inception":
        return Inception().eval().to(context.device)
    return data_classifier(context)


def data_classifier(context: EvaluationContext) -> Classifier:
    """Return a classifier of the training images, trained once per process, data, settings and device.

    Raises:
        UserError: if the images have no labels.
    """
    if context.y is None:
        raise UserError("these images have no labels to train a classifier on. Use --features inception")
    x, y = context.draw_images("train", MAX_CLASSIFIER_IMAGES)
    assert y is not None
    steps, seed = context.settings.classifier_steps, context.settings.seed
    key = (fingerprint(x, y), steps, seed, str(context.device))
    if key not in CLASSIFIERS:
        track = context.track("classifier for the metrics of samples")
        CLASSIFIERS[key] = train_classifier(x.to(context.device), y, steps=steps, seed=seed, track=track)
    return CLASSIFIERS[key]
