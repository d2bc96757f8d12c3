"""Penalties that objectives add to the distortion, without Lightning or Hydra."""

from vae_lightning.distributions.posterior import gaussian_kl, kl_per_latent
from vae_lightning.regularizers.base import NoPenalty, Regularizer
from vae_lightning.regularizers.capacity import Capacity, JointCapacity
from vae_lightning.regularizers.code_norm import CodeNorm
from vae_lightning.regularizers.density_ratio import AdversarialMatching, DensityRatio, Discriminator, permute_dims
from vae_lightning.regularizers.dip import DIP, covariance
from vae_lightning.regularizers.free_bits import FreeBits
from vae_lightning.regularizers.kl import KL, GroupedKL, Rate, kl
from vae_lightning.regularizers.mixture_kl import MixtureKL, log_cluster_probs
from vae_lightning.regularizers.mmd import MMD, mmd
from vae_lightning.regularizers.quantization import CodeUsage, LookupFreeQuantization, Quantization
from vae_lightning.regularizers.sliced_wasserstein import SlicedWasserstein, sliced_wasserstein
from vae_lightning.regularizers.total_correlation import Decomposition, TotalCorrelation, decompose
from vae_lightning.regularizers.triplet import Triplets, draw_triplets

__all__ = [
    "DIP",
    "KL",
    "MMD",
    "AdversarialMatching",
    "Capacity",
    "CodeNorm",
    "CodeUsage",
    "Decomposition",
    "DensityRatio",
    "Discriminator",
    "FreeBits",
    "GroupedKL",
    "JointCapacity",
    "LookupFreeQuantization",
    "MixtureKL",
    "NoPenalty",
    "Quantization",
    "Rate",
    "Regularizer",
    "SlicedWasserstein",
    "TotalCorrelation",
    "Triplets",
    "covariance",
    "decompose",
    "draw_triplets",
    "gaussian_kl",
    "kl",
    "kl_per_latent",
    "log_cluster_probs",
    "mmd",
    "permute_dims",
    "sliced_wasserstein",
]
