"""Losses of vector quantization: the distances between features and codes."""

import math

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import sum_across_processes
from vae_lightning.distributions import ForwardPass
from vae_lightning.regularizers.base import NoPenalty, Regularizer


class Quantization(Regularizer):
    """‖sg[f] - e‖² + β · ‖f - sg[e]‖², summed over codes and averaged over the batch. van den Oord et al. 2017, Eq. 3.

    f are the encoder's features, e the nearest codes, and sg stops the gradient. If the codebook is updated by moving
    averages, the first term has no gradient and is omitted.

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
        """Return (the weighted sum, {rate, commitment, perplexity, codes_in_use})."""
        features, codes = out.qz.features, out.qz.codes
        commitment = (features - codes.detach()).square().sum((1, 2)).mean()
        penalty = self.beta * commitment
        if not self.ema:
            penalty = penalty + (features.detach() - codes).square().sum((1, 2)).mean()
        return penalty, {**code_terms(out.qz.indices, self.codebook_size, commitment), "commitment": commitment}


class UniformCodes(NoPenalty):
    """No penalty, as in finite scalar quantization; the rate is that of a uniform prior over codes.

    Args:
        codebook_size: K, that of the quantizer.
    """

    standard_normal_only = True

    def __init__(self, *, codebook_size: int) -> None:
        super().__init__()
        self.codebook_size = codebook_size

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (0, {rate, perplexity, codes_in_use})."""
        zero = out.z.new_zeros(())
        return zero, code_terms(out.qz.indices, self.codebook_size, zero)


def code_terms(indices: Tensor, codebook_size: int, like: Tensor) -> dict[str, Tensor]:
    """Return what is logged of the codes of a batch.

    - rate: P · log K, the KL from a deterministic choice of P codes to a uniform prior over K codes.
    - perplexity: the exponential of the entropy of the batch's codes, the effective number of codes in use.
    - codes_in_use: the fraction of the codebook that occurs in the batch.

    Args:
        indices: int64 (B, P).
        codebook_size: K.
        like: a scalar of the type and on the device of the result.
    """
    counts = sum_across_processes(torch.bincount(indices.flatten(), minlength=codebook_size))
    return {
        "rate": torch.full_like(like, indices.shape[1] * math.log(codebook_size)),
        "perplexity": torch.special.entr(counts / counts.sum()).sum().exp(),
        "codes_in_use": (counts > 0).float().mean(),
    }
