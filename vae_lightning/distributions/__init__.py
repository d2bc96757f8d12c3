"""Posteriors, priors and likelihoods. Nothing here knows of Lightning or Hydra."""

from vae_lightning.distributions.inference import Inference
from vae_lightning.distributions.likelihood import Bernoulli, BernoulliImages, Gaussian, GaussianImages, Likelihood
from vae_lightning.distributions.posterior import (
    DiagonalGaussian,
    GaussianPosterior,
    Point,
    PointPosterior,
)
from vae_lightning.distributions.prior import StandardNormal

__all__ = [
    "Bernoulli",
    "BernoulliImages",
    "DiagonalGaussian",
    "Gaussian",
    "GaussianImages",
    "GaussianPosterior",
    "Inference",
    "Likelihood",
    "Point",
    "PointPosterior",
    "StandardNormal",
]
