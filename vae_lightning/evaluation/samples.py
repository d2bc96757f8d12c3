"""Quality of the reconstructions and samples of a run."""

from collections.abc import Iterator

import torch
from torch import Tensor

from vae_lightning.data import Batch
from vae_lightning.errors import UserError
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.feature_network import feature_network
from vae_lightning.evaluation.results import Result, Results, mean_result, unavailable
from vae_lightning.metrics import (
    FidelityDiversity,
    ImageMean,
    block_errors,
    classifier_score,
    fid,
    image_quality,
    jackknife_errors,
    kid,
    mean_and_error,
    precision_recall_density_coverage,
)
from vae_lightning.metrics.features import Classifier
from vae_lightning.metrics.samples import Inception, ssim_kernel
from vae_lightning.rng import generator_for

CLASSIFIER_METRICS = ("classifier_accuracy", "classifier_score", "class_accuracy")
FEATURE_NOTES = {"classifier": "a classifier of these images", "inception": "Inception-v3"}
SAMPLE_METRICS = ("fid", "kid", *FidelityDiversity._fields, *CLASSIFIER_METRICS)


def samples(context: EvaluationContext) -> Results:
    """Compute PSNR, SSIM and MSE of reconstructions, and compare samples with images."""
    return reconstruction_quality(context) | sample_quality(context)


def compared_images(context: EvaluationContext) -> Batch:
    """Return the images that reconstructions and samples are compared with."""
    return context.images.rows(slice(context.settings.sample_images))


def reconstruction_quality(context: EvaluationContext) -> Results:
    """Compute the quality of reconstructions from posterior means, averaged over images."""
    means = {name: ImageMean() for name in ("mse", "psnr", "ssim")}
    images = compared_images(context)
    for x, y in context.batches(images):
        quality = image_quality(context.model.as_images(x), context.model.reconstruct(x, y).clamp(0, 1))
        for name, values in quality._asdict().items():
            if values is not None:
                means[name].update(values.cpu())
    kernel = ssim_kernel(min(context.model.image_shape[1:]))
    notes = {
        "mse": f"{len(images.x):,} reconstructions",
        "psnr": "dB",
        "ssim": f"window of {kernel} x {kernel} pixels",
    }
    if kernel < 3:
        del means["ssim"]
    results = {name: mean_result(mean.compute(), notes[name]) for name, mean in means.items()}
    return unavailable(["ssim"], "these images have fewer than 3 pixels per side") | results


def sample_quality(context: EvaluationContext) -> Results:
    """Compare as many samples as images in the features of the network in the settings."""
    images = compared_images(context)
    n = len(images.x)
    try:
        network = feature_network(context)
        if n <= network.num_features:
            raise UserError(f"{n} images are too few for the covariance of {network.num_features} features")
    except UserError as error:
        return unavailable(SAMPLE_METRICS, str(error))
    with torch.no_grad():
        real = torch.cat([network(context.model.as_images(x)) for x, _ in context.batches(images)])
        generated = torch.cat([network(x) for x in sample_batches(context, n)])
    note = f"{n:,} samples and images, features of {FEATURE_NOTES[context.settings.features]}"
    return (
        distances(real, generated, context.settings.seed, note)
        | overlap(real, generated, context.settings.seed, note)
        | classifier_results(context, network, real, generated)
    )


def distances(real: Tensor, generated: Tensor, seed: int, note: str) -> Results:
    """Compute FID and KID."""
    (error,) = jackknife_errors(lambda x, x_hat: [fid(x, x_hat)], real, generated, seed=seed)
    mean, std = kid(real, generated, seed=seed)
    return {"fid": Result(fid(real, generated), error=error, note=note), "kid": Result(mean, std=std, note=note)}


def overlap(real: Tensor, generated: Tensor, seed: int, note: str) -> Results:
    """Compute precision, recall, density and coverage."""
    result = precision_recall_density_coverage(real, generated)
    errors = block_errors(precision_recall_density_coverage, real, generated, seed=seed)
    return {
        name: Result(value, error=error, note=note)
        for (name, value), error in zip(result._asdict().items(), errors, strict=True)
    }


def classifier_results(
    context: EvaluationContext, network: Inception | Classifier, real: Tensor, generated: Tensor
) -> Results:
    """Compute the accuracy of the classifier and, if the labels are classes, its score and accuracy on samples.

    Args:
        context: the run.
        network: the network of the features.
        real: features of the images, (N, F).
        generated: features of as many samples; for a conditional model, with the labels of the images.
    """
    if not isinstance(network, Classifier):
        return unavailable(CLASSIFIER_METRICS, "requires --features classifier")
    y = compared_images(context).y
    assert y is not None
    labels = y.reshape(len(y), -1).to(real.device)
    note = f"the network of these metrics, {context.settings.classifier_steps:,} training steps"
    results = {"classifier_accuracy": accuracy(network.predict(real) == labels, note)}
    if len(network.values) > 1:
        return results | unavailable(CLASSIFIER_METRICS[1:], "the labels are several factors, not classes")
    logits = network.logits(generated)
    (error,) = jackknife_errors(lambda x: [classifier_score(x)], logits, seed=context.settings.seed)
    note = f"1 to {network.values[0]}; {classifier_score(network.logits(real)):.4g} for the images"
    results["classifier_score"] = Result(classifier_score(logits), error=error, note=note)
    if not context.model.condition_dim:
        return results | unavailable(("class_accuracy",), f"{context.name} is not conditional")
    note = "samples classified as the class they were drawn with"
    return results | {"class_accuracy": accuracy(network.predict(generated) == labels, note)}


def accuracy(correct: Tensor, note: str) -> Result:
    """Return the mean over images of whether each of their factors is predicted correctly, bool (N, A)."""
    return mean_result(mean_and_error(correct.double().mean(1)), note)


@torch.no_grad()
def sample_batches(context: EvaluationContext, n: int) -> Iterator[Tensor]:
    """Draw n samples in batches; for a conditional model, with the labels of the images."""
    z = context.sample_prior(n)
    generator = generator_for(context.settings.seed)  # of draws from p(x|z), if there are any
    for z_batch, y in context.batches(Batch(z, compared_images(context).y)):
        yield context.model.generate(z_batch, y, generator).clamp(0, 1)
