"""Losses of quantization: the distances between features and codes, and the entropies of codes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows, sum_across_processes
from vae_lightning.distributions import ForwardPass
from vae_lightning.regularizers.base import NoPenalty, Regularizer
from vae_lightning.regularizers.kl import kl


class Quantization(Regularizer):
    """‖sg[f] - e‖² + β · ‖f - sg[e]‖², summed over codes and averaged over the batch. van den Oord et al. 2017, Eq. 3.

    f are the encoder's features, e the nearest codes, and sg stops the gradient. If the codebook is updated by moving
    averages, the first term has no gradient and is omitted. With residual quantization of depth N, each distance is the
    sum of those to the partial sums of 1, ..., N codes (Lee et al. 2022, Eq. 7).

    Args:
        ema: whether the quantizer updates the codebook by moving averages.
        beta: β > 0, the weight of the commitment loss.
    """

    def __init__(self, *, ema: bool, beta: float = 0.25) -> None:
        super().__init__()
        self.beta, self.ema = beta, ema

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the weighted sum, {rate, commitment, perplexity, codes_in_use})."""
        features, codes = out.qz.features, out.qz.codes
        if out.qz.partial_sums is not None:
            codes = out.qz.partial_sums
        commitment = squared_distance(features, codes.detach())
        penalty = self.beta * commitment
        if not self.ema:
            penalty = penalty + squared_distance(features.detach(), codes)
        return penalty, {**code_terms(out), "commitment": commitment}


class LookupFreeQuantization(Regularizer):
    """β · ‖f - sg[c]‖² + λ · (E[H(q(c|f))] - H(E[q(c|f)])), both summed over codes. Yu et al. 2023, section 3.1, Eq. 5.

    f are the encoder's features and c their signs. The entropies are those of soft assignments, see `entropy_penalty`:
    the assignment of each feature should be certain, and all codes should be used.

    Args:
        beta: β >= 0, the weight of the commitment loss.
        entropy_weight: λ >= 0.
        temperature: of the soft assignments, > 0.
    """

    def __init__(self, *, beta: float = 0.25, entropy_weight: float = 1.0, temperature: float = 1.0) -> None:
        super().__init__()
        self.beta, self.entropy_weight, self.temperature = beta, entropy_weight, temperature

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the weighted sum, {rate, commitment, entropy_penalty, perplexity, codes_in_use})."""
        features = out.qz.features
        commitment = squared_distance(features, out.qz.codes.detach())
        per_code = entropy_penalty(all_gather_rows(features).flatten(0, 1), self.temperature)
        entropy = features.shape[1] * per_code
        penalty = self.beta * commitment + self.entropy_weight * entropy
        return penalty, {**code_terms(out), "commitment": commitment, "entropy_penalty": entropy}

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return the weights of the commitment loss and of the entropies."""
        return {"beta": warmup * self.beta, "entropy_weight": warmup * self.entropy_weight}


class CodeUsage(NoPenalty):
    """No penalty, as in finite scalar quantization; the rate and the use of the codes are logged."""

    standard_normal_only = False

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (0, {rate, perplexity, codes_in_use})."""
        return out.z.new_zeros(()), code_terms(out)


def squared_distance(features: Tensor, codes: Tensor) -> Tensor:
    """Return ‖f - e‖² of features (B, P, d) and codes (B, P, d) or (N, B, P, d), summed and averaged over the batch."""
    return (features - codes).square().sum((-2, -1)).mean(-1).sum()


def entropy_penalty(features: Tensor, temperature: float) -> Tensor:
    """Compute E[H(q(c|f))] - H(E[q(c|f)]) for q(c|f) ∝ exp(-‖f - c‖² / temperature) over all c in {-1, 1}^d.

    This is the negative mutual information of codes and features, in nats per code, from -d log 2 to 0. It is exact
    without a tensor of N x 2^d: since ‖f - c‖² is a sum over bits, bit i is 1 with probability σ(4 f_i / temperature),
    independently of the others. So H(q(c|f)) is a sum over bits, and E[q(c|f)] a product of two matrices, with the
    probabilities of both halves of a code. Yu et al. 2023, Eq. 5.

    Args:
        features: (N, d).
        temperature: > 0.
    """
    logits = 4 * features / temperature
    ones = logits.sigmoid()
    conditional = (F.softplus(logits) - logits * ones).sum(1).mean()
    first, second = map(joint_probabilities, ones.tensor_split(2, dim=1))
    with torch.autocast(features.device.type, enabled=False):
        marginal = first.T @ second / len(features)
    tiny = torch.finfo(marginal.dtype).tiny  # the derivative of the entropy at 0 is infinite
    return conditional - torch.special.entr(marginal.clamp_min(tiny)).sum()


def joint_probabilities(ones: Tensor) -> Tensor:
    """Return the probabilities of all values of m independent bits, (N, 2^m), from those of being 1, (N, m)."""
    joint = ones.new_ones(len(ones), 1)
    for p in ones.T[:, :, None]:
        joint = torch.cat([joint * (1 - p), joint * p], dim=1)
    return joint


def code_terms(out: ForwardPass) -> dict[str, Tensor]:
    """Return the logged metrics of the codes of a batch.

    - rate: the KL from the choice of the codes to the prior, P · log K if P codes are equally likely a priori.
    - perplexity: the exponential of the entropy of the batch's codes, the effective number of codes in use.
    - codes_in_use: the fraction of the codebook that occurs in the batch.

    Args:
        out: of the model, with `Codes` as the posterior.
    """
    ones = torch.ones_like(out.qz.indices.flatten(), dtype=torch.float32)
    # `bincount` would wait for the GPU to find the number of bins.
    counts = sum_across_processes(ones.new_zeros(out.qz.codebook_size).index_add_(0, out.qz.indices.flatten(), ones))
    return {
        "rate": kl(out).mean(),
        "perplexity": torch.special.entr(counts / counts.sum()).sum().exp(),
        "codes_in_use": (counts > 0).float().mean(),
    }
