"""Figures of a run: computing them from a model and its data."""

from vae_lightning.figures import images, latent_space, manifolds, training, traversals

__all__ = ["images", "latent_space", "manifolds", "training", "traversals"]  # each registers its figures
