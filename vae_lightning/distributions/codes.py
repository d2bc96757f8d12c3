"""Discrete codes: a posterior with all its mass on a few entries of a codebook, and the interface of quantizers."""

from abc import abstractmethod
from typing import Any, NamedTuple

from torch import Tensor

from vae_lightning.distributions.posterior import Posterior, projection, promote_to_float32
from vae_lightning.errors import UserError
from vae_lightning.types import LatentShape, num_latents


class Codes(NamedTuple):
    """Posterior of a `Quantizer`: P codes per image.

    Attributes:
        features: values before quantization, (B, P, d).
        codes: entries of the codebook, (B, P, d), or with residual quantization sums of N entries.
        indices: indices of these entries, int64 (B, P), or (B, P·N) if they are sums.
        codebook_size: K.
        grid_size: number of positions h·w of a map of codes; 1 for a vector.
        partial_sums: sums of the first 1, ..., N entries, (N, B, P, d); None without residual quantization.
    """

    features: Tensor
    codes: Tensor
    indices: Tensor
    codebook_size: int
    grid_size: int = 1
    partial_sums: Tensor | None = None

    @property
    def mean(self) -> Tensor:
        """Codes as latents, (B, P·d)."""
        return as_latents(self.codes, self.grid_size)

    def rsample(self, noise: Tensor | None = None) -> Tensor:
        """Return the codes as latents, (B, P·d), with the gradient of the features. van den Oord et al. 2017, 3.2."""
        return as_latents(self.features + (self.codes - self.features).detach(), self.grid_size)

    def kl(self, p: Any) -> Tensor:
        """Compute KL(q || p) to a distribution of indices, (B,): -log p(indices), since all mass of q is on them."""
        return -p.log_prob(self.indices)


class Quantizer(Posterior):
    """Base class of modules that map features to `Codes`: a linear layer to P vectors, then a choice among K codes.

    For a map of latents (C, h, w), the channels at each position are divided into C/d codes, so P = C/d · h·w. The code
    with index p is at position p mod h·w, row by row, of group p div h·w.

    Args:
        num_features: F.
        latent_shape: D, or the shape (C, h, w) of a map.
        code_dim: d, which divides D or C.
        codebook_size: K.

    Attributes:
        num_codes: number of indices per image: P, or P·N with residual quantization of depth N.

    Raises:
        UserError: if code_dim does not divide the number of latents.
    """

    has_density = False

    def __init__(self, num_features: int, latent_shape: LatentShape, *, code_dim: int, codebook_size: int) -> None:
        super().__init__()
        channels = latent_shape if isinstance(latent_shape, int) else latent_shape[0]
        if channels % code_dim:
            raise UserError(f"model.latent_dim={channels}: must be a multiple of {code_dim}, the latents per code.")
        self.code_dim, self.codebook_size = code_dim, codebook_size
        self.grid_size = num_latents(latent_shape) // channels
        self.num_codes = num_latents(latent_shape) // code_dim
        self.features = projection(num_features, latent_shape)

    @abstractmethod
    def forward(self, features: Tensor) -> Codes:
        """Map features (B, F) or (B, F, h, w) to codes."""

    @abstractmethod
    def lookup(self, indices: Tensor) -> Tensor:
        """Look up indices (B, num_codes) and return their codes as latents, (B, P·d)."""

    def vectors(self, features: Tensor) -> Tensor:
        """Map features to the vectors to be quantized, (B, P, d)."""
        latents = promote_to_float32(self.features(features))
        return latents.unflatten(1, (-1, self.code_dim, self.grid_size)).transpose(2, 3).flatten(1, 2)


def as_latents(vectors: Tensor, grid_size: int) -> Tensor:
    """Arrange vectors (B, P, d) as latents (B, P·d), for a map in the order (C, h, w)."""
    return vectors.unflatten(1, (-1, grid_size)).transpose(2, 3).flatten(1)
