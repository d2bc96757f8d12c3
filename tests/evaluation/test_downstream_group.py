"""The group of metrics `downstream`."""

from dataclasses import replace

import pytest
from evaluation_cases import TINY

from vae_lightning.evaluation.downstream import downstream
from vae_lightning.evaluation.results import GIVEN_LABELS
from vae_lightning.models import VAE, LatentPrior
from vae_lightning.priors import CouplingFlow


def test_accuracy_with_few_labels(parts, make_context):
    found = downstream(make_context(VAE(**parts), settings=replace(TINY, probe_images=120, boosting=True)))
    for name in ("linear_probe", "boosted_trees"):
        few, many = found[f"{name}_100"], found[name]
        assert 0 < few.value < 1
        assert few.std is not None
        assert found[f"{name}_efficiency"].value == pytest.approx(few.value / many.value)
    too_few = downstream(make_context(VAE(**parts)))
    assert too_few["linear_probe_efficiency"].note == "unavailable: there are only 50 training images"


def test_labels_are_not_predicted_from_codes_that_contain_them(parts, make_context):
    model = VAE(**{**parts, "conditional": True})
    given = {name for name, result in downstream(make_context(model)).items() if result.note.endswith(GIVEN_LABELS)}
    assert given == set(downstream(make_context(VAE(**parts))))


@pytest.mark.parametrize("conditional", [False, True])
def test_a_conditional_prior_does_not_give_the_encoder_labels(conditional, parts):
    autoencoder = VAE(**{**parts, "conditional": conditional})
    prior = LatentPrior(autoencoder=autoencoder, prior=CouplingFlow, conditional=True, num_classes=10)
    assert prior.encoder_is_given_labels == conditional


def test_training_images_do_not_test_classifiers_that_they_train(parts, make_context):
    found = downstream(make_context(VAE(**parts), settings=replace(TINY, split="train")))
    assert found["linear_probe"].note == "unavailable: these images would train the classifiers that they test"
