"""The triplet loss, which brings images of a class together and those of others apart."""

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows
from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.regularizers.kl import KL


def draw_triplets(y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Draw a positive, another image of its class, and a negative, one of another class, for each image of a batch.

    Both are uniform and independent. Images with an unknown class are neither.

    Args:
        y: classes, (B,) int64, -1 where they are unknown.

    Returns:
        The rows of the positives and the negatives, (B,) int64, and whether an image has both, (B,) bool; the rows of
        one that does not have no meaning.
    """
    is_same, is_known = y[:, None] == y, y >= 0
    is_self = torch.eye(len(y), dtype=torch.bool, device=y.device)
    positives, negatives = is_same & is_known & ~is_self, ~is_same & is_known & is_known[:, None]
    order = torch.rand(len(y), len(y), device=y.device)
    positive, negative = (order.masked_fill(~among, -1).argmax(1) for among in (positives, negatives))
    return positive, negative, positives.any(1) & negatives.any(1)


class Triplets(KL):
    """β · KL(q(z|x) || p(z)) + λ · max(0, ‖μ_a - μ_p‖² - ‖μ_a - μ_n‖² + margin) for posterior means μ of triplets.

    Ishfaq et al. 2018. Each image of the batch is the anchor a of one triplet; see `draw_triplets`. The loss is
    averaged over the triplets, and is 0 if there are none, as without labels. `triplet_accuracy` is the fraction of
    triplets whose positive is closer to the anchor than the negative.

    Args:
        beta: β >= 0.
        triplet_weight: λ >= 0.
        margin: by how much the squared distance to the negative should exceed that to the positive, >= 0.
    """

    def __init__(self, *, beta: float = 1.0, triplet_weight: float = 10.0, margin: float = 1.0) -> None:
        super().__init__(beta=beta)
        self.triplet_weight, self.margin = triplet_weight, margin

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the weighted sum, {rate, triplet_loss, triplet_accuracy}); the loss is unweighted.

        Raises:
            UserError: if the labels are attributes.
        """
        penalty, terms = super().forward(out)
        terms |= self.triplet_terms(out.qz.mean, out.y)
        return penalty + self.triplet_weight * terms["triplet_loss"], terms

    def triplet_terms(self, mean: Tensor, y: Tensor | None) -> dict[str, Tensor]:
        """Return {triplet_loss, triplet_accuracy}.

        Args:
            mean: posterior means, (B, D).
            y: classes, (B,), -1 where they are unknown; None if all are.

        Raises:
            UserError: if the labels are attributes.
        """
        mu = all_gather_rows(mean)
        y = torch.full_like(mu[:, 0], -1) if y is None else all_gather_rows(y)
        if y.dim() > 1:
            raise UserError(f"model=tvae: requires one class per image, got {y.shape[1]} attributes. Set model=vae.")
        positive, negative, is_anchor = draw_triplets(y)
        difference = (mu - mu[positive]).square().sum(1) - (mu - mu[negative]).square().sum(1)
        count = is_anchor.sum().clamp(min=1)
        return {
            "triplet_loss": (is_anchor * (difference + self.margin).clamp_min(0)).sum() / count,
            "triplet_accuracy": (is_anchor & (difference < 0)).sum() / count,
        }

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return β and λ."""
        return super().effective_weights(warmup) | {"triplet_weight": warmup * self.triplet_weight}
