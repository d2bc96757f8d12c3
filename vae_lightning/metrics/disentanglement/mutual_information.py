"""Mutual information between latents and factors, by counting."""

import numpy as np

from vae_lightning.metrics.arrays import Floats, Ints


def discretize(codes: Floats, bins: int) -> Ints:
    """Codes (N, D) to the bin of each, 0 to bins - 1: equal widths from the lowest to the highest code of a latent."""
    low, span = codes.min(0), np.ptp(codes, axis=0)
    position = (codes - low) / np.where(span > 0, span, 1.0)  # in [0, 1]; 0 for a latent that is constant
    return np.minimum(position * bins, bins - 1).astype(np.int64)


def mutual_information(a: Ints, b: Ints) -> float:
    """I(a; b) of the joint frequencies of two columns (N,) of numbers from 0, in nats."""
    shape = (int(a.max()) + 1, int(b.max()) + 1)
    joint = np.bincount(np.ravel_multi_index((a, b), shape), minlength=shape[0] * shape[1]).reshape(shape) / len(a)
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0
    return max(0.0, float((joint[seen] * np.log(joint[seen] / independent[seen])).sum()))


def entropy(a: Ints) -> float:
    """H(a) = I(a; a), in nats."""
    return mutual_information(a, a)


def information_matrix(codes: Floats, factors: Ints, bins: int) -> Floats:
    """I(z_d; v_k) of each discretised latent and each factor, (D, A), in nats.

    Counts overestimate information, by about (bins - 1)(values - 1) / 2N nats where there is none.
    """
    binned = discretize(codes, bins)
    return np.array([[mutual_information(latent, factor) for factor in factors.T] for latent in binned.T])
