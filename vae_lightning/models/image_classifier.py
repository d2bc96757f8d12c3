"""Classifiers and discriminators of images."""

from torch import Tensor, nn

from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.networks import Encoder


class ImageClassifier(nn.Module):
    """Maps images (B, C, H, W) to features (B, F) and to the logits (B, K) of K classes.

    Args:
        encoder: images -> features.
        num_classes: K.
    """

    def __init__(self, encoder: Encoder, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.logit = nn.Linear(encoder.num_features, num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (features, logits). The logits of feature maps are the means of the logits at their positions."""
        features = promote_to_float32(self.encoder(x))
        pooled = features if features.dim() == 2 else features.mean((2, 3))
        return features.flatten(1), promote_to_float32(self.logit(pooled))


class ImageDiscriminator(ImageClassifier):
    """Maps images (B, C, H, W) to features (B, F) and to the logit (B,) of the image being real.

    Args:
        encoder: images -> features.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder, num_classes=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (features, logits)."""
        features, logits = super().forward(x)
        return features, logits.squeeze(1)
