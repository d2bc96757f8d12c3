"""The losses between codes and features."""

import math

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import sum_across_processes
from vae_lightning.distributions import ForwardPass
from vae_lightning.regularizers.base import Regularizer


class Quantization(Regularizer):
    """‖sg[f] - e‖² + β · ‖f - sg[e]‖², summed over codes, averaged over the batch. van den Oord et al. 2017, Eq. 3.

    f are the encoder's features, e the nearest codes, and sg stops the gradient. If the codebook is updated by moving
    averages, the first term has no gradient and is omitted.

    The rate is P · log K, the KL from a deterministic choice to a uniform prior over K codes, P times (section 3.1).

    Args:
        beta: β > 0, the weight of the commitment loss.
        codebook_size: K.
        ema: whether the codebook is updated by moving averages.
    """

    standard_normal_only = True  # the prior over codes is always uniform

    def __init__(self, *, beta: float, codebook_size: int, ema: bool) -> None:
        super().__init__()
        self.beta, self.codebook_size, self.ema = beta, codebook_size, ema

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the weighted sum, {rate, commitment, perplexity}).

        The perplexity is exp of the entropy of the batch's codes: the effective number of codes in use.
        """
        features, codes, indices = out.qz
        commitment = (features - codes.detach()).square().sum((1, 2)).mean()
        penalty = self.beta * commitment
        if not self.ema:
            penalty = penalty + (features.detach() - codes).square().sum((1, 2)).mean()
        use = sum_across_processes(torch.bincount(indices.flatten(), minlength=self.codebook_size))
        fractions = use / use.sum()
        return penalty, {
            "rate": torch.full_like(commitment, indices.shape[1] * math.log(self.codebook_size)),
            "commitment": commitment,
            "perplexity": torch.special.entr(fractions).sum().exp(),
        }
