"""Planar flows."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributions import GaussianPosterior, Posterior
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.posteriors.flow import FlowDistribution
from vae_lightning.posteriors.shapes import vector_dim
from vae_lightning.types import LatentShape

BISECTIONS = 60  # more than the bits of a double
MIN_DERIVATIVE = 0.01  # of the transform along w, so that rounding does not make it negative
MEAN = 1 - 1 / math.e
VARIANCE = MEAN * (1 - MEAN)
# The first cumulants of a Bernoulli variable, whose generating function is m; see `relative_slope`.
CUMULANTS = (
    MEAN,
    VARIANCE,
    VARIANCE * (1 - 2 * MEAN),
    VARIANCE * (1 - 6 * VARIANCE),
    VARIANCE * (1 - 2 * MEAN) * (1 - 12 * VARIANCE),
)
SMALL = 0.1  # |x| below which the power series is accurate to the last bits of a float


class PlanarTransform(NamedTuple):
    """f(z) = z + u tanh(wᵀz + b). Rezende & Mohamed 2015, section 4.1.

    Attributes:
        u: (B, D), with wᵀu > -1, so that f is invertible.
        w: (B, D).
        b: (B,).
        slope: wᵀu, (B,), which its sum could round to less than -1.
    """

    u: Tensor
    w: Tensor
    b: Tensor
    slope: Tensor

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map z (B, D); return the result and the log determinant of the map, (B,)."""
        h = torch.tanh((self.w * z).sum(1) + self.b)
        return z + self.u * h[:, None], torch.log1p(self.slope * (1 - h.square()))

    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Invert the map at z (B, D); return the result and the log determinant of the map there, (B,).

        a = wᵀf⁻¹(z) is the root of a + wᵀu tanh(a + b) = wᵀz, which increases in a. It is found by bisection. One step
        of Newton's method at the root gives it the gradient of the inverse.
        """
        slope, target = self.slope, (self.w * z).sum(1)

        def excess(a: Tensor) -> Tensor:
            return a + slope * torch.tanh(a + self.b) - target

        with torch.no_grad():
            low, high = target - slope.abs(), target + slope.abs()
            for _ in range(BISECTIONS):
                middle = (low + high) / 2
                is_above = excess(middle) > 0
                low, high = torch.where(is_above, low, middle), torch.where(is_above, middle, high)
            root = (low + high) / 2
            derivative = 1 + slope * (1 - torch.tanh(root + self.b).square())
        a = root - excess(root) / derivative
        inverse = z - self.u * torch.tanh(a + self.b)[:, None]
        return inverse, self.forward(inverse)[1]

    def repeat(self, k: int) -> "PlanarTransform":
        """Return the maps of k·B draws, the batch k times in a row."""
        return PlanarTransform(self.u.repeat(k, 1), self.w.repeat(k, 1), self.b.repeat(k), self.slope.repeat(k))


class PlanarFlow(Posterior):
    """A Gaussian mapped by planar transforms, whose parameters depend on the image. Rezende & Mohamed 2015.

    A linear layer predicts u, w and b of each transform. Then u is changed along w, so that wᵀu becomes m(wᵀu) > -1, as
    in their appendix A.1. Here m(x) = softplus(x + log(e - 1)) - 1, so m(0) = 0. With the paper's m(0) = -0.3, u would
    grow without bound as w approaches 0.

    Args:
        num_features: F.
        latent_shape: D.
        transforms: number of transforms in a row.

    Raises:
        UserError: if the latents form a map.
    """

    def __init__(self, num_features: int, latent_shape: LatentShape, *, transforms: int = 8) -> None:
        super().__init__()
        self.dim, self.transforms = vector_dim(latent_shape, "planar"), transforms
        self.base = GaussianPosterior(num_features, latent_shape)
        self.parameters_of_transforms = nn.Linear(num_features, transforms * (2 * self.dim + 1))

    def forward(self, features: Tensor) -> FlowDistribution:
        """Map features (B, F) to q(z|x)."""
        parameters = promote_to_float32(self.parameters_of_transforms(features)).chunk(self.transforms, dim=1)
        return FlowDistribution(self.base(features), [self.planar(p) for p in parameters])

    def planar(self, parameters: Tensor) -> PlanarTransform:
        """Return the transform of unconstrained parameters, (B, 2D + 1)."""
        u, w, b = parameters.split([self.dim, self.dim, 1], dim=1)
        wu = (w * u).sum(1, keepdim=True)
        factor = (1 - MIN_DERIVATIVE) * relative_slope(wu)  # of u along w
        direction = F.normalize(w, dim=1, eps=torch.finfo(w.dtype).tiny ** 0.5)
        along = (direction * u).sum(1, keepdim=True) * direction
        return PlanarTransform(u + (factor - 1) * along, w, b.squeeze(1), (factor * wu).squeeze(1))


def relative_slope(x: Tensor) -> Tensor:
    """Return m(x) / x for m(x) = softplus(x + log(e - 1)) - 1, elementwise.

    The quotient and its derivative would amplify rounding errors near 0, where a power series is used instead. Since
    m(x) = log(1 + (1 - 1/e)(eˣ - 1)), its coefficients are those of the cumulant generating function of a Bernoulli
    variable with mean 1 - 1/e.
    """
    is_small = x.abs() < SMALL
    large, small = torch.where(is_small, 1.0, x), torch.where(is_small, x, 0.0)
    series = torch.zeros_like(x)
    for n, cumulant in reversed([*enumerate(CUMULANTS, start=1)]):
        series = series * small + cumulant / math.factorial(n)
    return torch.where(is_small, series, (F.softplus(large + math.log(math.e - 1)) - 1) / large)
