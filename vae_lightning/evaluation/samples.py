"""Quality of the reconstructions and samples of a run."""

from collections.abc import Iterator

import torch
from torch import Tensor

from vae_lightning.data import Batch
from vae_lightning.errors import UserError
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.results import Result, Results, mean_result, unavailable
from vae_lightning.metrics import ImageMean, feature_distances, image_quality
from vae_lightning.metrics.features import Classifier, train_classifier
from vae_lightning.metrics.samples import Inception, ssim_kernel

MAX_CLASSIFIER_IMAGES = 50_000  # more would take longer to copy than they improve the classifier


def samples(context: EvaluationContext) -> Results:
    """Compute PSNR, SSIM and MSE of reconstructions, and FID and KID of samples."""
    return reconstruction_quality(context) | sample_distances(context)


def compared_images(context: EvaluationContext) -> Batch:
    """Return the images that reconstructions and samples are compared with."""
    n = context.settings.sample_images
    return Batch(context.x[:n], None if context.y is None else context.y[:n])


def reconstruction_quality(context: EvaluationContext) -> Results:
    """Compute the quality of reconstructions from posterior means, averaged over images."""
    means = {name: ImageMean() for name in ("mse", "psnr", "ssim")}
    images = compared_images(context)
    for x, y in context.batches(images):
        quality = image_quality(context.model.as_images(x), context.model.reconstruct(x, y).clamp(0, 1))
        for name, values in quality._asdict().items():
            means[name].update(values.cpu())
    kernel = ssim_kernel(min(context.model.image_shape[1:]))
    notes = {
        "mse": f"{len(images.x):,} reconstructions",
        "psnr": "dB",
        "ssim": f"window of {kernel} x {kernel} pixels",
    }
    return {name: mean_result(mean.compute(), notes[name]) for name, mean in means.items()}


def sample_distances(context: EvaluationContext) -> Results:
    """Compute FID and KID of as many samples as images, in the features of the network in the settings."""
    images = compared_images(context)
    n = len(images.x)
    try:
        features, results = feature_network(context)
        if n <= features.num_features:
            raise UserError(f"{n} images are too few for the covariance of {features.num_features} features")
    except UserError as error:
        return unavailable(("fid", "kid"), str(error))
    distances = feature_distances(
        (context.model.as_images(x) for x, _ in context.batches(images)),
        sample_batches(context, n),
        features,
        n=n,
        seed=context.settings.seed,
    )
    note = f"{n:,} samples and images, {context.settings.features}"
    return results | {
        "fid": Result(distances.fid, note=note),
        "kid": Result(distances.kid, std=distances.kid_std, note=note),
    }


@torch.no_grad()
def sample_batches(context: EvaluationContext, n: int) -> Iterator[Tensor]:
    """Draw n samples in batches; for a conditional model, with the labels of the images."""
    z = context.sample_prior(n)
    for z_batch, y in context.batches(Batch(z, compared_images(context).y)):
        yield context.model.decode(z_batch, y).mean.clamp(0, 1)


def feature_network(context: EvaluationContext) -> tuple[Inception | Classifier, Results]:
    """Return the network whose features are compared, and the accuracy of a classifier.

    Raises:
        UserError: if it is not available.
    """
    settings = context.settings
    if settings.features == "inception":
        return Inception().eval().to(context.device), {}
    if context.y is None:
        raise UserError("these images have no labels to train a classifier on. Use --features inception")
    x, y = context.draw_images("train", MAX_CLASSIFIER_IMAGES)
    assert y is not None
    track = context.track("classifier for FID and KID")
    steps = settings.classifier_steps
    classifier = train_classifier(x.to(context.device), y, steps=steps, seed=settings.seed, track=track)
    accuracy = ImageMean()
    for images, labels in context.batches(compared_images(context)):
        assert labels is not None
        correct = classifier.predict(images.float() / 255) == labels.reshape(len(labels), -1)
        accuracy.update(correct.double().mean(1).cpu())
    note = f"the network for FID and KID, {steps:,} training steps"
    return classifier, {"classifier_accuracy": mean_result(accuracy.compute(), note)}
