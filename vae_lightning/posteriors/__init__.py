"""Posteriors beyond the diagonal Gaussian, which any objective that does not require one can use."""

from vae_lightning.posteriors.full_covariance import FullCovariance, FullGaussian
from vae_lightning.posteriors.gamma import Gamma, GammaDistribution
from vae_lightning.posteriors.gumbel_softmax import GumbelSoftmax, JointDistribution
from vae_lightning.posteriors.inverse_autoregressive import InverseAutoregressiveFlow
from vae_lightning.posteriors.planar import PlanarFlow
from vae_lightning.posteriors.poincare import PoincareBall, WrappedNormal
from vae_lightning.posteriors.von_mises_fisher import VonMisesFisher, VonMisesFisherDistribution

__all__ = [
    "FullCovariance",
    "FullGaussian",
    "Gamma",
    "GammaDistribution",
    "GumbelSoftmax",
    "InverseAutoregressiveFlow",
    "JointDistribution",
    "PlanarFlow",
    "PoincareBall",
    "VonMisesFisher",
    "VonMisesFisherDistribution",
    "WrappedNormal",
]
