"""Posteriors, priors and likelihoods, without Lightning or Hydra."""

from vae_lightning.distributions.codebook import Codebook
from vae_lightning.distributions.codes import Codes, Quantizer
from vae_lightning.distributions.finite_scalar_quantizer import FiniteScalarQuantizer
from vae_lightning.distributions.forward_pass import ForwardPass
from vae_lightning.distributions.likelihoods import (
    MSSSIM,
    Autoregressive,
    AutoregressiveImages,
    Bernoulli,
    BernoulliImages,
    ContinuousBernoulli,
    ContinuousBernoulliImages,
    DiscretizedLogistic,
    DiscretizedLogisticImages,
    DiscretizedLogisticMixture,
    DiscretizedLogisticMixtureImages,
    Gaussian,
    GaussianImages,
    ImageDistribution,
    IndependentPixels,
    Laplace,
    LaplaceImages,
    Likelihood,
    LogCosh,
    LogCoshImages,
    MSSSIMImages,
)
from vae_lightning.distributions.lookup_free_quantizer import LookupFreeQuantizer
from vae_lightning.distributions.posterior import (
    DeltaDistribution,
    DeltaPosterior,
    DiagonalGaussian,
    GaussianPosterior,
    Posterior,
    StandardGaussian,
)
from vae_lightning.distributions.prior import (
    ClassConditional,
    GaussianMixture,
    HierarchicalPrior,
    Prior,
    StandardNormal,
    VampPrior,
)
from vae_lightning.distributions.residual_quantizer import ResidualQuantizer
from vae_lightning.distributions.vector_quantizer import VectorQuantizer

__all__ = [
    "MSSSIM",
    "Autoregressive",
    "AutoregressiveImages",
    "Bernoulli",
    "BernoulliImages",
    "ClassConditional",
    "Codebook",
    "Codes",
    "ContinuousBernoulli",
    "ContinuousBernoulliImages",
    "DeltaDistribution",
    "DeltaPosterior",
    "DiagonalGaussian",
    "DiscretizedLogistic",
    "DiscretizedLogisticImages",
    "DiscretizedLogisticMixture",
    "DiscretizedLogisticMixtureImages",
    "FiniteScalarQuantizer",
    "ForwardPass",
    "Gaussian",
    "GaussianImages",
    "GaussianMixture",
    "GaussianPosterior",
    "HierarchicalPrior",
    "ImageDistribution",
    "IndependentPixels",
    "Laplace",
    "LaplaceImages",
    "Likelihood",
    "LogCosh",
    "LogCoshImages",
    "LookupFreeQuantizer",
    "MSSSIMImages",
    "Posterior",
    "Prior",
    "Quantizer",
    "ResidualQuantizer",
    "StandardGaussian",
    "StandardNormal",
    "VampPrior",
    "VectorQuantizer",
]
