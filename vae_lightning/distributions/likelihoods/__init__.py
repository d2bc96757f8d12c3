"""Likelihoods p(x|z), which map the decoder's output to a distribution over images. One file per family."""

from vae_lightning.distributions.likelihoods.base import ImageDistribution, IndependentPixels, Likelihood
from vae_lightning.distributions.likelihoods.bernoulli import Bernoulli, BernoulliImages
from vae_lightning.distributions.likelihoods.continuous_bernoulli import ContinuousBernoulli, ContinuousBernoulliImages
from vae_lightning.distributions.likelihoods.discretized_logistic import DiscretizedLogistic, DiscretizedLogisticImages
from vae_lightning.distributions.likelihoods.location_scale import Gaussian, GaussianImages, Laplace, LaplaceImages

__all__ = [
    "Bernoulli",
    "BernoulliImages",
    "ContinuousBernoulli",
    "ContinuousBernoulliImages",
    "DiscretizedLogistic",
    "DiscretizedLogisticImages",
    "Gaussian",
    "GaussianImages",
    "ImageDistribution",
    "IndependentPixels",
    "Laplace",
    "LaplaceImages",
    "Likelihood",
]
