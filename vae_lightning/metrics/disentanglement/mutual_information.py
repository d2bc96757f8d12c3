"""Mutual information between latents and factors, estimated from counts."""

import numpy as np

from vae_lightning.metrics.arrays import Floats, Ints


def discretize(codes: Floats, bins: int) -> Ints:
    """Map codes (N, D) to bins 0 to bins - 1, of equal width between the minimum and the maximum of each latent."""
    low, span = codes.min(0), np.ptp(codes, axis=0)
    position = (codes - low) / np.where(span > 0, span, 1.0)  # in [0, 1]; 0 for a latent that is constant
    return np.minimum(position * bins, bins - 1).astype(np.int64)


# sklearn.metrics.mutual_info_score returns the same value to 1e-12, but takes 20 to 40 times as long: 2.6 to 4.2 ms
# instead of 0.07 to 0.14 ms for 10,000 points, and `information_matrix` needs D · A values. It validates its inputs and
# builds a sparse matrix.
def mutual_information(a: Ints, b: Ints) -> float:
    """Return I(a; b) of the joint frequencies of two columns (N,) of integers starting at 0, in nats."""
    shape = (int(a.max()) + 1, int(b.max()) + 1)
    joint = np.bincount(np.ravel_multi_index((a, b), shape), minlength=shape[0] * shape[1]).reshape(shape) / len(a)
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    observed = joint > 0
    return max(0.0, float((joint[observed] * np.log(joint[observed] / independent[observed])).sum()))


def entropy(a: Ints) -> float:
    """Return H(a) = I(a; a), in nats."""
    return mutual_information(a, a)


def entropies(factors: Ints) -> Floats:
    """Return H(v_k) of each factor (N, A), in nats, (A,)."""
    return np.array([entropy(values) for values in factors.T])


def information_matrix(codes: Floats, factors: Ints, bins: int) -> Floats:
    """Return I(z_d; v_k) of each discretized latent and each factor, (D, A), in nats.

    The estimate is biased upwards, by about (bins - 1)(values - 1) / 2N nats for independent variables.
    """
    binned = discretize(codes, bins)
    return np.array([[mutual_information(latent, factor) for factor in factors.T] for latent in binned.T])
