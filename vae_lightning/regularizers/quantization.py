"""Losses of vector quantization: the distances between features and codes."""

import math

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import sum_across_processes
from vae_lightning.distributions import ForwardPass
from vae_lightning.regularizers.base import Regularizer


class Quantization(Regularizer):
    """‖sg[f] - e‖² + β · ‖f - sg[e]‖², summed over codes and averaged over the batch. van den Oord et al. 2017, Eq. 3.

    f are the encoder's features, e the nearest codes, and sg stops the gradient. If the codebook is updated by moving
    averages, the first term has no gradient and is omitted.

    The rate is P · log K, the KL from a deterministic choice of P codes to a uniform prior over K codes (section 3.1).

    Args:
        codebook_size: K, that of the `VectorQuantizer`.
        ema: whether the `VectorQuantizer` updates the codebook by moving averages.
        beta: β > 0, the weight of the commitment loss.
    """

    standard_normal_only = True  # the prior over codes is always uniform

    def __init__(self, *, codebook_size: int, ema: bool, beta: float = 0.25) -> None:
        super().__init__()
        self.beta, self.codebook_size, self.ema = beta, codebook_size, ema

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the weighted sum, {rate, commitment, perplexity}).

        The perplexity is the exponential of the entropy of the batch's codes: the effective number of codes in use.
        """
        features, codes, indices = out.qz
        commitment = (features - codes.detach()).square().sum((1, 2)).mean()
        penalty = self.beta * commitment
        if not self.ema:
            penalty = penalty + (features.detach() - codes).square().sum((1, 2)).mean()
        counts = sum_across_processes(torch.bincount(indices.flatten(), minlength=self.codebook_size))
        frequencies = counts / counts.sum()
        return penalty, {
            "rate": torch.full_like(commitment, indices.shape[1] * math.log(self.codebook_size)),
            "commitment": commitment,
            "perplexity": torch.special.entr(frequencies).sum().exp(),
        }
