"""The classifier in whose features samples are compared."""

import torch

from vae_lightning.metrics.features import train_classifier


def test_train_classifier_learns_classes_and_factors_and_is_deterministic():
    generator = torch.Generator().manual_seed(0)
    bright, left = torch.randint(2, (2, 600), generator=generator)
    x = torch.zeros(600, 1, 8, 8)
    x[torch.arange(600)[left == 1], :, :, :4] = 1
    x[torch.arange(600)[left == 0], :, :, 4:] = 1
    x = (x * (100 + 155 * bright.view(-1, 1, 1, 1))).to(torch.uint8)
    y = torch.stack([bright, left], dim=1)
    classifier = train_classifier(x, y, steps=40)
    features = classifier(x.float() / 255)
    assert features.shape == (600, classifier.num_features)
    assert (classifier.predict(features) == y).float().mean() > 0.95
    assert torch.equal(features, train_classifier(x, y, steps=40)(x.float() / 255))
    assert train_classifier(x, bright, steps=1).predict(features).shape == (600, 1)
