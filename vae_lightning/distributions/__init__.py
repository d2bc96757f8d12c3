"""Posteriors, priors and likelihoods. Nothing here knows of Lightning or Hydra."""

from vae_lightning.distributions.codebook import Codebook, Codes
from vae_lightning.distributions.inference import Inference
from vae_lightning.distributions.likelihoods import (
    Bernoulli,
    BernoulliImages,
    ContinuousBernoulli,
    ContinuousBernoulliImages,
    DiscretizedLogistic,
    DiscretizedLogisticImages,
    Gaussian,
    GaussianImages,
    Images,
    Laplace,
    LaplaceImages,
    Likelihood,
)
from vae_lightning.distributions.posterior import (
    DiagonalGaussian,
    GaussianPosterior,
    Point,
    PointPosterior,
    StandardGaussian,
)
from vae_lightning.distributions.prior import ClassConditional, GaussianMixture, Prior, StandardNormal, VampPrior
from vae_lightning.distributions.share import Share, add_up, gather, own, weighed, whole

__all__ = [
    "Bernoulli",
    "BernoulliImages",
    "ClassConditional",
    "Codebook",
    "Codes",
    "ContinuousBernoulli",
    "ContinuousBernoulliImages",
    "DiagonalGaussian",
    "DiscretizedLogistic",
    "DiscretizedLogisticImages",
    "Gaussian",
    "GaussianImages",
    "GaussianMixture",
    "GaussianPosterior",
    "Images",
    "Inference",
    "Laplace",
    "LaplaceImages",
    "Likelihood",
    "Point",
    "PointPosterior",
    "Prior",
    "Share",
    "StandardGaussian",
    "StandardNormal",
    "VampPrior",
    "add_up",
    "gather",
    "own",
    "weighed",
    "whole",
]
