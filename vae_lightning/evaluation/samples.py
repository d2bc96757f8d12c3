"""How reconstructions and samples look."""

from collections.abc import Iterator

import torch
from torch import Tensor

from vae_lightning.data import Batch
from vae_lightning.errors import UserError
from vae_lightning.evaluation.findings import Finding, Findings, measured, refused
from vae_lightning.evaluation.subject import Subject
from vae_lightning.metrics import ImageMean, feature_distances, image_quality
from vae_lightning.metrics.features import Classifier, train_classifier
from vae_lightning.metrics.samples import Inception, ssim_kernel

TAUGHT = 50_000  # training images of the classifier at most: more would be copied than seen


def samples(subject: Subject) -> Findings:
    """PSNR, SSIM and MSE of reconstructions; FID and KID of samples."""
    return reconstructions(subject) | generated(subject)


def judged(subject: Subject) -> Batch:
    """The images that are looked at, at most as many as the settings say."""
    n = subject.settings.sample_images
    return Batch(subject.x[:n], None if subject.y is None else subject.y[:n])


def reconstructions(subject: Subject) -> Findings:
    """Of the posterior's mean, the mean over images."""
    means = {name: ImageMean() for name in ("mse", "psnr", "ssim")}
    images = judged(subject)
    for x, y in subject.batches(images):
        quality = image_quality(subject.model.as_images(x), subject.model.reconstruct(x, y).clamp(0, 1))
        for name, values in quality._asdict().items():
            means[name].update(values.cpu())
    kernel = ssim_kernel(min(subject.model.image_shape[1:]))
    notes = {
        "mse": f"{len(images.x):,} reconstructions",
        "psnr": "dB",
        "ssim": f"a window of {kernel} x {kernel} pixels",
    }
    return {name: measured(metric.compute(), notes[name]) for name, metric in means.items()}


def generated(subject: Subject) -> Findings:
    """FID and KID of as many samples as images, in features of the network that the settings name."""
    n = len(judged(subject).x)
    try:
        features, found = network(subject)
        if n <= features.num_features:
            raise UserError(
                f"{n} images do not fill the covariance of {features.num_features} features; more are needed"
            )
    except UserError as error:
        return refused(("fid", "kid"), str(error))
    distances = feature_distances(
        (subject.model.as_images(x) for x, _ in subject.batches(judged(subject))),
        drawn(subject, n),
        features,
        n=n,
        seed=subject.settings.seed,
    )
    note = f"{n:,} samples and images, {subject.settings.features}"
    return found | {
        "fid": Finding(distances.fid, note=note),
        "kid": Finding(distances.kid, std=distances.kid_std, note=note),
    }


@torch.no_grad()
def drawn(subject: Subject, n: int) -> Iterator[Tensor]:
    """Samples in batches; of a conditional model, with the labels of the images."""
    z = subject.from_prior(n)
    for z_batch, y in subject.batches(Batch(z, judged(subject).y)):
        yield subject.model.decode(z_batch, y).mean.clamp(0, 1)


def network(subject: Subject) -> tuple[Inception | Classifier, Findings]:
    """The network whose features are compared, and what is known of it.

    Raises:
        UserError: when it is not to be had.
    """
    s = subject.settings
    if s.features == "inception":
        return Inception().eval().to(subject.device), {}
    if subject.y is None:
        raise UserError("these images have no labels to train a classifier on; type --features inception")
    x, y = subject.draw_images("train", TAUGHT)
    assert y is not None
    track = subject.track("classifier for FID and KID")
    classifier = train_classifier(x.to(subject.device), y, steps=s.classifier_steps, seed=s.seed, track=track)
    correct = ImageMean()
    for images, labels in subject.batches(judged(subject)):
        assert labels is not None
        right = classifier.predict(images.float() / 255) == labels.reshape(len(labels), -1)
        correct.update(right.double().mean(1).cpu())
    note = f"the network of FID and KID, {s.classifier_steps:,} steps"
    return classifier, {"classifier_accuracy": measured(correct.compute(), note)}
