"""What draws codes and features together."""

import math

import torch
from torch import Tensor

from vae_lightning.distributions import Inference, add_up
from vae_lightning.regularizers.base import Regularizer


class Quantization(Regularizer):
    """‖sg[f] - e‖² + β · ‖f - sg[e]‖², summed over codes, mean over the batch. van den Oord et al. 2017, Eq. 3.

    f are the encoder's features, e the nearest codes, sg stops the gradient. With a codebook that follows by moving
    averages the first term has no gradient and is left out.

    The rate is P · log K: the KL from one certain choice to a uniform prior over K codes, P times (section 3.1).

    Args:
        beta: β > 0, the commitment.
        num_codes: K.
        ema: whether the codebook follows by moving averages.
    """

    standard_normal_only = True  # the prior over codes is uniform; no other can be chosen

    def __init__(self, *, beta: float, num_codes: int, ema: bool) -> None:
        super().__init__()
        self.beta, self.num_codes, self.ema = beta, num_codes, ema

    def forward(self, s: Inference) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the weighted sum, {rate, commitment, perplexity}).

        The perplexity is exp of the entropy of the batch's codes: how many of the K are in use, as if evenly.
        """
        features, codes, indices = s.qz
        commitment = (features - codes.detach()).square().sum((1, 2)).mean()
        penalty = self.beta * commitment
        if not self.ema:
            penalty = penalty + (features.detach() - codes).square().sum((1, 2)).mean()
        use = add_up(torch.bincount(indices.flatten(), minlength=self.num_codes))
        share = use / use.sum()
        return penalty, {
            "rate": torch.full_like(commitment, indices.shape[1] * math.log(self.num_codes)),
            "commitment": commitment,
            "perplexity": torch.special.entr(share).sum().exp(),
        }
