"""The group of metrics `downstream`."""

from dataclasses import replace

import pytest
from evaluation_cases import TINY

from vae_lightning.evaluation.downstream import downstream
from vae_lightning.models import VAE


def test_accuracy_with_few_labels(parts, make_context):
    found = downstream(make_context(VAE(**parts), settings=replace(TINY, probe_images=120, boosting=True)))
    for name in ("linear_probe", "boosted_trees"):
        few, many = found[f"{name}_100"], found[name]
        assert 0 < few.value < 1
        assert few.std is not None
        assert found[f"{name}_efficiency"].value == pytest.approx(few.value / many.value)
    too_few = downstream(make_context(VAE(**parts)))
    assert too_few["linear_probe_efficiency"].note == "unavailable: there are only 50 training images"


def test_training_images_do_not_test_classifiers_that_they_train(parts, make_context):
    found = downstream(make_context(VAE(**parts), settings=replace(TINY, split="train")))
    assert found["linear_probe"].note == "unavailable: these images would train the classifiers that they test"
