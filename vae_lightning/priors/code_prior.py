"""Base class of autoregressive priors of discrete codes."""

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows
from vae_lightning.distributions import Prior, Quantizer
from vae_lightning.errors import UserError
from vae_lightning.priors.guidance import ConditionEmbedding, sample_in_passes


class CodePrior(Prior):
    """Base class of p(c) = Π_p p(c_p | c_<p) over the P codes of an image, in the order of their indices.

    Args:
        posterior: the model's quantizer.
        condition_dim: K, or 0.
        width: of the embedding of the condition.
        drop_condition: the fraction of conditions that are left out in training.
        guidance: the strength of the condition in samples; see `apply_guidance`.

    Attributes:
        name: of the choice of model/prior.
        samples_per_pass: how many images are drawn at once.

    Raises:
        UserError: if the latents are not codes.
    """

    uses_condition = True
    is_discrete = True
    name: ClassVar[str]
    samples_per_pass: ClassVar[int]

    def __init__(
        self, posterior: nn.Module, condition_dim: int, width: int, drop_condition: float, guidance: float
    ) -> None:
        super().__init__()
        if not isinstance(posterior, Quantizer):
            raise UserError(f"model/prior={self.name}: the latents are not codes. Use model/prior=flow_matching.")
        self.num_codes, self.codebook_size = posterior.num_codes, posterior.codebook_size
        self.guidance = guidance
        self.condition = ConditionEmbedding(condition_dim, width, drop_condition)

    def forward(self, encode: Any, condition: Tensor | None) -> "CodeDistribution":
        """Return p(c), or p(c|y) given a condition (B, K)."""
        return CodeDistribution(self, condition)

    @abstractmethod
    def log_probs(self, indices: Tensor, condition: Tensor | None) -> Tensor:
        """Compute log p(c_p | c_<p) of every code at each position, (B, P, codebook_size), given indices (B, P)."""

    @abstractmethod
    def sample_by_inversion(self, u: Tensor, condition: Tensor | None) -> Tensor:
        """Map uniform random numbers u (n, P) to indices (n, P) by the inverse of the distribution function."""


class CodeDistribution(NamedTuple):
    """The distribution of the indices of codes.

    Attributes:
        prior: computes the probabilities.
        condition: (B, K), or None.
    """

    prior: CodePrior
    condition: Tensor | None

    def log_prob(self, indices: Tensor) -> Tensor:
        """Compute the log probability of indices (B, P), (B,), in nats."""
        return self.prior.log_probs(indices, self.condition).gather(2, indices[:, :, None]).sum((1, 2))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw the indices of n images, (n, P). The random numbers are drawn on the CPU, the same on all devices."""
        prior = self.prior
        u = local_rows(torch.rand(global_batch_size(n), prior.num_codes, generator=generator))
        u = u.to(prior.condition.absent.device)
        return sample_in_passes(prior.sample_by_inversion, u, self.condition, prior.samples_per_pass)


def invert(logits: Tensor, u: Tensor) -> Tensor:
    """Map uniform random numbers u (B,) to indices (B,) with the probabilities that logits (B, codebook_size) give."""
    probs = logits.softmax(-1)
    below = probs.cumsum(-1) < u[:, None]
    return below.sum(-1).clamp_max(probs.shape[1] - 1)  # the sum of probs may round to below 1
