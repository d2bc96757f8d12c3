"""Vector quantization with a learned codebook."""

from typing import Any

from torch import Tensor

from vae_lightning.distributions.codebook import Codebook
from vae_lightning.distributions.codes import Codes, Quantizer, as_latents
from vae_lightning.types import LatentShape


class VectorQuantizer(Quantizer):
    """Replaces each vector by the nearest of K learned codes. van den Oord et al. 2017, section 3.1.

    Args:
        num_features: F.
        latent_shape: D, or the shape (C, h, w) of a map.
        code_dim: d.
        codebook_size: K.
        ema: update the codebook by moving averages, or else by the codebook loss; see `Codebook`.
        decay: γ of the moving averages.

    Raises:
        UserError: if code_dim does not divide latent_dim.
    """

    def __init__(
        self,
        num_features: int,
        latent_shape: LatentShape,
        *,
        code_dim: int,
        codebook_size: int,
        ema: bool,
        decay: float,
    ) -> None:
        super().__init__(num_features, latent_shape, code_dim=code_dim, codebook_size=codebook_size)
        features = self.features
        del self.features
        self.codebook = Codebook(codebook_size, code_dim, ema=ema, decay=decay)
        self.features = features  # after the codebook: checkpoints hold the optimizer's states in this order

    def forward(self, features: Tensor) -> Codes:
        """Map features to codes; during training, update the codebook."""
        vectors = self.vectors(features)
        codes, indices = self.codebook(vectors)
        return Codes(vectors, codes, indices, self.codebook_size, self.grid_size)

    def lookup(self, indices: Tensor) -> Tensor:
        """Look up indices (B, P) and return their codes as latents, (B, P·d)."""
        return as_latents(self.codebook.lookup(indices), self.grid_size)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Rename the keys of checkpoints from before `Codebook` was a module of its own."""
        for name in ("embedding", "use", "sums"):
            if f"{prefix}{name}" in state_dict:
                state_dict[f"{prefix}codebook.{name}"] = state_dict.pop(f"{prefix}{name}")
        super()._load_from_state_dict(state_dict, prefix, *args)
