"""Functions from tensors to matplotlib figures, independent of Lightning and Hydra."""

from vae_lightning.plotting.class_swap import class_swap
from vae_lightning.plotting.codes import code_usage
from vae_lightning.plotting.compare import compare_reconstructions, compare_samples, compare_traversals
from vae_lightning.plotting.curves import training_curves
from vae_lightning.plotting.densities import aggregate_posterior
from vae_lightning.plotting.factors import factor_information
from vae_lightning.plotting.images import extreme_reconstructions, image_grid, reconstructions, samples
from vae_lightning.plotting.interpolations import interpolations
from vae_lightning.plotting.latent_space import scatter
from vae_lightning.plotting.manifold import class_manifolds, manifold
from vae_lightning.plotting.nearest import nearest_images
from vae_lightning.plotting.rates import rate_history, rate_per_latent
from vae_lightning.plotting.traversals import animation

__all__ = [
    "aggregate_posterior",
    "animation",
    "class_manifolds",
    "class_swap",
    "code_usage",
    "compare_reconstructions",
    "compare_samples",
    "compare_traversals",
    "extreme_reconstructions",
    "factor_information",
    "image_grid",
    "interpolations",
    "manifold",
    "nearest_images",
    "rate_history",
    "rate_per_latent",
    "reconstructions",
    "samples",
    "scatter",
    "training_curves",
]
