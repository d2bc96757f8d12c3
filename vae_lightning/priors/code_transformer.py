"""An autoregressive transformer over discrete codes."""

from collections import defaultdict
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import global_batch_size, local_rows
from vae_lightning.distributions import Prior, Quantizer
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError
from vae_lightning.priors.guidance import ConditionEmbedding, apply_guidance, sample_in_passes

SAMPLES_PER_PASS = 500  # the cache of keys and values grows with them


class KeyValueCache(NamedTuple):
    """Keys and values of the codes so far, in one layer.

    Attributes:
        k: keys, (B, heads, P, width / heads).
        v: values, of the same shape.
    """

    k: Tensor
    v: Tensor


class Block(nn.Module):
    """Causal self-attention and an MLP, each after layer norm and with a skip connection. Radford et al. 2019, 2.3.

    Args:
        width: of the vector of each code.
        heads: of the attention; divides the width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor, cache: KeyValueCache | None = None, position: int = 0) -> Tensor:
        """Map (B, P, width) to (B, P, width); with a cache only one position, (B, 1, width), given those before it."""
        q, k, v = self.qkv(self.attention_norm(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if cache is not None:
            cache.k[:, :, position], cache.v[:, :, position] = k[:, :, 0], v[:, :, 0]
            k, v = cache.k[:, :, : position + 1], cache.v[:, :, : position + 1]
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=cache is None)  # (B, heads, P, width / heads)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.mlp(x)


class CodeTransformer(Prior):
    """p(c) = Π_p p(c_p | c_<p) over the P codes of an image. van den Oord et al. 2017, 3.3; Esser et al. 2021, 3.2.

    Requires a quantizer. The codes are read in the order of their indices, for a map row by row. The condition, if
    there is one, is the vector before the first code.

    Args:
        posterior: the model's quantizer.
        condition_dim: K, or 0.
        width: of the vector of each code.
        layers: number of blocks.
        heads: of the attention; divides the width.
        drop_condition: the fraction of conditions that are left out in training.
        guidance: the strength of the condition in samples; see `apply_guidance`.
        **_: the other shapes of the model.

    Raises:
        UserError: if the latents are not codes, or heads does not divide width.
    """

    uses_condition = True
    is_discrete = True

    def __init__(
        self,
        *,
        posterior: nn.Module,
        condition_dim: int,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        drop_condition: float = 0.1,
        guidance: float = 1.0,
        **_: Any,
    ) -> None:
        super().__init__()
        if not isinstance(posterior, Quantizer):
            raise UserError("model/prior=code_transformer: the latents are not codes. Use model/prior=flow_matching.")
        if width % heads:
            raise UserError(f"model.prior.width={width}: must be a multiple of model.prior.heads={heads}.")
        self.guidance, self.heads = guidance, heads
        self.condition = ConditionEmbedding(condition_dim, width, drop_condition)
        self.codes = nn.Embedding(posterior.codebook_size, width)
        self.positions = nn.Parameter(torch.zeros(posterior.num_codes, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.logits = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, posterior.codebook_size))
        for embedding in (self.codes.weight, self.positions):
            nn.init.normal_(embedding, std=0.02)

    def forward(self, encode: Any, condition: Tensor | None) -> "CodeDistribution":
        """Return p(c), or p(c|y) given a condition (B, K)."""
        return CodeDistribution(self, condition)

    def log_probs(self, indices: Tensor, condition: Tensor | None) -> Tensor:
        """Compute log p(c_p | c_<p) of every code at each position, (B, P, codebook_size), given indices (B, P)."""
        start = self.condition(condition, len(indices))[:, None]
        x = torch.cat([start, self.codes(indices[:, :-1])], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        return F.log_softmax(promote_to_float32(self.logits(x)), dim=-1)

    def caches(self, n: int) -> list[KeyValueCache]:
        """Return empty caches of all blocks for n images."""
        num_codes, width = self.positions.shape
        shape = (n, self.heads, num_codes, width // self.heads)
        return [KeyValueCache(self.positions.new_empty(shape), self.positions.new_empty(shape)) for _ in self.blocks]

    def next_logits(self, x: Tensor, caches: list[KeyValueCache], position: int) -> Tensor:
        """Return the logits of the code at one position, (B, codebook_size), given the vector before it, (B, width)."""
        x = (x + self.positions[position])[:, None]
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block(x, cache, position)
        return promote_to_float32(self.logits(x[:, 0]))


class CodeDistribution(NamedTuple):
    """The distribution of the indices of codes.

    Attributes:
        transformer: the prior.
        condition: (B, K), or None.
    """

    transformer: CodeTransformer
    condition: Tensor | None

    def log_prob(self, indices: Tensor) -> Tensor:
        """Compute the log probability of indices (B, P), (B,), in nats."""
        return self.transformer.log_probs(indices, self.condition).gather(2, indices[:, :, None]).sum((1, 2))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw the indices of n images, (n, P). The random numbers are drawn on the CPU, the same on all devices."""
        positions = self.transformer.positions
        u = local_rows(torch.rand(global_batch_size(n), len(positions), generator=generator))
        return sample_in_passes(self.sample_by_inversion, u.to(positions.device), self.condition, SAMPLES_PER_PASS)

    def sample_by_inversion(self, u: Tensor, condition: Tensor | None) -> Tensor:
        """Map uniform random numbers u (n, P) to indices (n, P) by the inverse of the distribution function."""
        transformer, n = self.transformer, len(u)
        # one with the condition, and one without if it is guided
        caches: defaultdict[bool, list[KeyValueCache]] = defaultdict(lambda: transformer.caches(n))
        indices = torch.empty_like(u, dtype=torch.int64)

        def logits(position: int, condition: Tensor | None) -> Tensor:
            before = transformer.codes(indices[:, position - 1]) if position else transformer.condition(condition, n)
            return transformer.next_logits(before, caches[condition is not None], position)

        for position in range(u.shape[1]):
            probs = apply_guidance(partial(logits, position), condition, transformer.guidance).softmax(-1)
            below = probs.cumsum(-1) < u[:, position, None]
            indices[:, position] = below.sum(-1).clamp_max(probs.shape[1] - 1)  # the sum of probs may round to below 1
        return indices
