"""A PixelCNN over discrete codes."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError
from vae_lightning.networks.pixel_cnn import PixelCNN
from vae_lightning.priors.code_prior import CodePrior, invert
from vae_lightning.priors.guidance import apply_guidance, guided_conditions
from vae_lightning.types import LatentShape


class CodeEmbedding(nn.Embedding):
    """Embeds indices (B, h, w) as maps (B, width, h, w)."""

    def forward(self, indices: Tensor) -> Tensor:
        """Return the maps."""
        return super().forward(indices).permute(0, 3, 1, 2)


class CodePixelCNN(CodePrior):
    """p(c) = Π_p p(c_p | c_<p) over a map of codes, row by row. van den Oord et al. 2017, section 3.3.

    The context of the `PixelCNN` is a learned vector per position and the embedding of the condition.

    Args:
        posterior: the model's quantizer, with one code at each position of a map.
        latent_shape: of the map, (C, h, w).
        condition_dim: K, or 0.
        width: channels of the PixelCNN.
        layers: number of its layers. A code sees those up to layers · (kernel_size // 2) + 1 positions away.
        kernel_size: of its convolutions, odd.
        drop_condition: the fraction of conditions that are left out in training.
        guidance: the strength of the condition in samples; see `apply_guidance`.
        **_: the other shapes of the model.

    Raises:
        UserError: if the latents are not a map with one code at each position.
    """

    name = "code_pixel_cnn"
    samples_per_pass = 1000

    def __init__(
        self,
        *,
        posterior: nn.Module,
        latent_shape: LatentShape,
        condition_dim: int,
        width: int = 64,
        layers: int = 6,
        kernel_size: int = 3,
        drop_condition: float = 0.1,
        guidance: float = 1.0,
        **_: Any,
    ) -> None:
        super().__init__(posterior, condition_dim, width, drop_condition, guidance)
        if isinstance(latent_shape, int) or latent_shape[1] * latent_shape[2] != self.num_codes:
            raise UserError(
                f"model/prior={self.name}: requires a map with one code at each position. Use"
                " model/prior=code_transformer."
            )
        self.map_size = latent_shape[1:]
        self.positions = nn.Parameter(torch.zeros(width, *self.map_size))
        embedding = CodeEmbedding(self.codebook_size, width)
        self.network = PixelCNN(
            embedding, width, self.codebook_size, width=width, layers=layers, kernel_size=kernel_size
        )

    def context(self, condition: Tensor | None, n: int) -> Tensor:
        """Return the context of n images, (n, width, h, w)."""
        return self.positions + self.condition(condition, n)[:, :, None, None]

    def log_probs(self, indices: Tensor, condition: Tensor | None) -> Tensor:
        """Compute log p(c_p | c_<p) of every code at each position, (B, P, codebook_size), given indices (B, P)."""
        logits = self.network(indices.unflatten(1, self.map_size), self.context(condition, len(indices)))
        return F.log_softmax(promote_to_float32(logits.flatten(2).transpose(1, 2)), dim=-1)

    def sample_by_inversion(self, u: Tensor, condition: Tensor | None) -> Tensor:
        """Map uniform random numbers u (n, P) to indices (n, P) by the inverse of the distribution function."""
        n, positions = len(u), iter(u.unbind(1))
        contexts = [self.context(c, n) for c in guided_conditions(condition, self.guidance)]

        def choose(logits: Tensor) -> Tensor:
            guided = apply_guidance(promote_to_float32(logits[..., 0, 0]).split(n), self.guidance)
            return invert(guided, next(positions)).repeat(len(contexts))[:, None, None]

        return self.network.fill(torch.cat(contexts), choose)[:n].flatten(1)
