"""Likelihoods p(x|z), which map the decoder's output to a distribution over images. One file per family."""

from vae_lightning.distributions.likelihoods.autoregressive import Autoregressive, AutoregressiveImages
from vae_lightning.distributions.likelihoods.base import ImageDistribution, IndependentPixels, Likelihood
from vae_lightning.distributions.likelihoods.bernoulli import Bernoulli, BernoulliImages
from vae_lightning.distributions.likelihoods.continuous_bernoulli import ContinuousBernoulli, ContinuousBernoulliImages
from vae_lightning.distributions.likelihoods.discretized_logistic import DiscretizedLogistic, DiscretizedLogisticImages
from vae_lightning.distributions.likelihoods.discretized_logistic_mixture import (
    DiscretizedLogisticMixture,
    DiscretizedLogisticMixtureImages,
)
from vae_lightning.distributions.likelihoods.location_scale import Gaussian, GaussianImages, Laplace, LaplaceImages
from vae_lightning.distributions.likelihoods.log_cosh import LogCosh, LogCoshImages
from vae_lightning.distributions.likelihoods.ms_ssim import MSSSIM, MSSSIMImages

__all__ = [
    "MSSSIM",
    "Autoregressive",
    "AutoregressiveImages",
    "Bernoulli",
    "BernoulliImages",
    "ContinuousBernoulli",
    "ContinuousBernoulliImages",
    "DiscretizedLogistic",
    "DiscretizedLogisticImages",
    "DiscretizedLogisticMixture",
    "DiscretizedLogisticMixtureImages",
    "Gaussian",
    "GaussianImages",
    "ImageDistribution",
    "IndependentPixels",
    "Laplace",
    "LaplaceImages",
    "Likelihood",
    "LogCosh",
    "LogCoshImages",
    "MSSSIMImages",
]
