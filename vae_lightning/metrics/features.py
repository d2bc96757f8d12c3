"""A small classifier trained on the run's own images, in whose features samples are compared without any download."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.metrics.passes import Track
from vae_lightning.pixels import to_float
from vae_lightning.rng import isolated_rng

BATCH_SIZE = 128


class Classifier(nn.Module):
    """Two strided convolutions, a hidden layer of 64 normalized features, and a linear layer per factor.

    Calling it on images (B, C, H, W) in [0, 1] returns their features (B, 64). The resulting FID, KID, precision and
    recall compare models trained on the same data, for one seed of the classifier. They are not comparable with those
    of Inception.

    Args:
        channels: C.
        values: the number of values of each factor, (A,); `[K]` for K classes.
    """

    num_features = 64

    def __init__(self, channels: int, values: list[int]) -> None:
        super().__init__()
        self.values = values
        self.features = nn.Sequential(
            nn.Conv2d(channels, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(7),
            nn.Flatten(),
            nn.Linear(32 * 49, self.num_features),
            nn.ReLU(),
            nn.BatchNorm1d(self.num_features, affine=False),  # variance 1, since KID's kernel depends on the scale
        )
        self.logits = nn.Linear(self.num_features, sum(values))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (B, 64) of images (B, C, H, W) in [0, 1]."""
        return self.features(x)

    def factor_logits(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of the values of each factor, A tensors (B, values), from features (B, 64)."""
        return self.logits(features).split(self.values, dim=1)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of factors y (B, A), averaged over images and factors."""
        factor_logits = self.factor_logits(self(x))
        return torch.stack([F.cross_entropy(logits, y[:, k]) for k, logits in enumerate(factor_logits)]).mean()

    def predict(self, features: Tensor) -> Tensor:
        """Return the most likely value of each factor, (B, A), from features (B, 64)."""
        return torch.stack([logits.argmax(1) for logits in self.factor_logits(features)], dim=1)


def train_classifier(x: Tensor, y: Tensor, *, steps: int, seed: int = 0, track: Track = iter) -> Classifier:
    """Train a classifier on labeled images. The result is deterministic given the seed.

    Args:
        x: images, uint8 or float in [0, 1], (N, C, H, W), on the device to train on.
        y: labels starting at 0, int64 (N,) or (N, A).
        steps: steps of Adam with learning rate 0.001, on 128 images each.
        seed: of the weights and the batches.
        track: wraps the steps in a progress bar.
    """
    labels = y.reshape(len(y), -1).to(x.device)
    generator = torch.Generator().manual_seed(seed)
    with isolated_rng(seed):
        classifier = Classifier(x.shape[1], (labels.amax(0) + 1).tolist()).to(x.device)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-3)
    for _ in track(range(steps)):
        batch = torch.randint(len(x), (BATCH_SIZE,), generator=generator).to(x.device)
        optimizer.zero_grad()
        classifier.loss(to_float(x[batch]), labels[batch]).backward()
        optimizer.step()
    return classifier.eval().requires_grad_(False)
