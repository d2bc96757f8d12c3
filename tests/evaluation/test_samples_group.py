"""The group of metrics `samples`."""

from dataclasses import replace

import pytest
import torch
from evaluation_cases import TINY, build

from vae_lightning.data import Batch
from vae_lightning.evaluation.downstream import downstream
from vae_lightning.evaluation.feature_network import feature_network
from vae_lightning.evaluation.samples import reconstruction_quality, samples
from vae_lightning.models import AE, VAE
from vae_lightning.networks import MLP


@pytest.mark.parametrize("name", ["vae", "cvae"])
def test_samples_that_are_the_images(name, parts, make_context, monkeypatch):
    """A model that copies the images of each label has no distance to them, and the accuracy of the classifier."""
    context = make_context(build(name, parts), settings=replace(TINY, classifier_steps=100))
    copies = [context.model.as_images(x) for x, _ in context.batches(Batch(context.x, context.y))]
    monkeypatch.setattr("vae_lightning.evaluation.samples.sample_batches", lambda *_: iter(copies))
    found = samples(context)
    assert found["fid"].value == pytest.approx(0, abs=1e-4)
    assert [found[metric].value for metric in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert found["density"].value >= 1
    assert found["precision"].note == "100 samples and images, features of a classifier of these images"
    accuracy, score = found["classifier_accuracy"].value, found["classifier_score"]
    assert 0.5 < accuracy <= 1
    assert 2 < score.value <= 10
    assert score.note == f"1 to 10; {score.value:.4g} for the images"
    if name == "vae":
        assert found["class_accuracy"].note == "unavailable: VAE is not conditional"
    else:
        assert found["class_accuracy"].value == accuracy


def test_metrics_of_classes_need_a_classifier_of_classes(parts, make_context, monkeypatch):
    found = samples(make_context(VAE(**parts), "factors"))
    assert found["precision"].value is not None
    assert found["classifier_accuracy"].value is not None
    for name in ("classifier_score", "class_accuracy"):
        assert found[name].note == "unavailable: the labels are several factors, not classes"

    network = torch.nn.Flatten()
    network.num_features = 64
    monkeypatch.setattr("vae_lightning.evaluation.feature_network.Inception", lambda: network)
    found = samples(make_context(VAE(**parts), "none", replace(TINY, features="inception")))
    assert found["recall"].note == "100 samples and images, features of Inception-v3"
    assert found["classifier_score"].note == "unavailable: requires --features classifier"


def test_classifier_is_trained_once_per_data_and_settings(parts, make_context, monkeypatch):
    monkeypatch.setattr("vae_lightning.evaluation.feature_network.CLASSIFIERS", {})
    first = feature_network(make_context(VAE(**parts)))
    assert feature_network(make_context(AE(**parts))) is first
    assert feature_network(make_context(VAE(**parts), "factors")) is not first
    assert feature_network(make_context(VAE(**parts), settings=replace(TINY, classifier_steps=4))) is not first
    assert feature_network(make_context(VAE(**parts), settings=replace(TINY, seed=1))) is not first


def test_unlabeled_images_have_no_probe_and_no_classifier(parts, make_context):
    context = make_context(VAE(**parts), "none")
    found = samples(context) | downstream(context)
    assert found["psnr"].value is not None
    assert "--features inception" in found["fid"].note
    assert found["knn"].note == "unavailable: these images have no labels"


def test_vectors_have_no_ssim(make_context):
    model = VAE(image_shape=(1, 1, 64), latent_dim=2, network=MLP(hidden_dims=[8]))
    context = make_context(model)
    context.images = Batch(context.x.view(-1, 1, 1, 64), context.y)
    found = reconstruction_quality(context)
    assert found["mse"].value > 0
    assert found["ssim"].note == "unavailable: these images have fewer than 3 pixels per side"
