"""An autoregressive transformer over discrete codes."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError
from vae_lightning.priors.code_prior import CodePrior, invert
from vae_lightning.priors.guidance import apply_guidance, guided_conditions


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


class CodeTransformer(CodePrior):
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

    name = "code_transformer"
    samples_per_pass = 500  # the cache of keys and values grows with them

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
        super().__init__(posterior, condition_dim, width, drop_condition, guidance)
        if width % heads:
            raise UserError(f"model.prior.width={width}: must be a multiple of model.prior.heads={heads}.")
        self.heads = heads
        self.codes = nn.Embedding(self.codebook_size, width)
        self.positions = nn.Parameter(torch.zeros(self.num_codes, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.logits = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, self.codebook_size))
        for embedding in (self.codes.weight, self.positions):
            nn.init.normal_(embedding, std=0.02)

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

    def sample_by_inversion(self, u: Tensor, condition: Tensor | None) -> Tensor:
        """Map uniform random numbers u (n, P) to indices (n, P) by the inverse of the distribution function."""
        conditions = guided_conditions(condition, self.guidance)
        caches = [self.caches(len(u)) for _ in conditions]
        before = [self.condition(c, len(u)) for c in conditions]
        indices = torch.empty_like(u, dtype=torch.int64)
        for position in range(u.shape[1]):
            logits = [self.next_logits(x, cache, position) for x, cache in zip(before, caches, strict=True)]
            indices[:, position] = invert(apply_guidance(logits, self.guidance), u[:, position])
            before = [self.codes(indices[:, position])] * len(conditions)
        return indices
