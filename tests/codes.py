"""Fixtures: a grid of known factors, and latent codes of it."""

import numpy as np
import pytest

SIZES = (3, 4, 6)


@pytest.fixture
def factors() -> np.ndarray:
    """Return every combination of three factors 30 times (2160, 3), in random order."""
    grid = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, 3)
    return np.random.default_rng(0).permutation(np.repeat(grid, 30, axis=0))


@pytest.fixture
def perfect(factors) -> np.ndarray:
    """Return a code with one latent per factor, each of variance 1."""
    return (factors - factors.mean(0)) / factors.std(0)


@pytest.fixture
def rotated(perfect) -> np.ndarray:
    """Return the perfect code with its first two latents rotated by 45 degrees."""
    rotation = np.array([[1, 1, 0], [-1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
    return perfect @ rotation


@pytest.fixture
def noise(factors) -> np.ndarray:
    """Return a code that is independent of the factors."""
    return np.random.default_rng(2).standard_normal(factors.shape)
