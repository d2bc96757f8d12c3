"""A small classifier of the data's own images: features for FID and KID that need no download."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.metrics.repeats import Track

BATCH = 128


class Classifier(nn.Module):
    """Two strided convolutions, a hidden layer of 64 normalised features, and a linear layer for each factor.

    Called with images (B, C, H, W) in [0, 1], it gives their features (B, 64): what FID and KID ask for. Such distances
    compare models on one data set and one seed; they are not those of Inception.

    Args:
        channels: C.
        values: the number of values of each factor, (A,); [K] for K classes.
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
            nn.BatchNorm1d(
                self.num_features, affine=False
            ),  # features of variance 1: KID's kernel is not free of scale
        )
        self.logits = nn.Linear(self.num_features, sum(values))

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to features (B, 64)."""
        return self.features(x)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The cross-entropy of factors y (B, A), the mean over both."""
        logits = self.logits(self(x)).split(self.values, dim=1)
        return torch.stack([F.cross_entropy(one, y[:, k]) for k, one in enumerate(logits)]).mean()

    def predict(self, x: Tensor) -> Tensor:
        """Images to the likeliest value of each factor, (B, A)."""
        return torch.stack([one.argmax(1) for one in self.logits(self(x)).split(self.values, dim=1)], dim=1)


def train_classifier(x: Tensor, y: Tensor, *, steps: int, seed: int = 0, track: Track = iter) -> Classifier:
    """A classifier of images x, uint8 (N, C, H, W), by labels y (N,) or (N, A); the same for the same seed.

    Args:
        x: images, on the device to train on.
        y: labels from 0, int64.
        steps: of Adam at 0.001, with 128 images each.
        seed: of the weights and the batches.
        track: puts a progress bar around the steps.
    """
    labels = y.reshape(len(y), -1).to(x.device)
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classifier = Classifier(x.shape[1], (labels.amax(0) + 1).tolist()).to(x.device)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-3)
    for _ in track(range(steps)):
        batch = torch.randint(len(x), (BATCH,), generator=generator).to(x.device)
        optimizer.zero_grad()
        classifier.loss(x[batch].float() / 255, labels[batch]).backward()
        optimizer.step()
    return classifier.eval().requires_grad_(False)
