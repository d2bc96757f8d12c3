"""A grid of known factors, and codes of it."""

import numpy as np
import pytest

SIZES = (3, 4, 6)


@pytest.fixture
def factors() -> np.ndarray:
    """Every combination of three factors 30 times, (2160, 3), in random order."""
    grid = np.stack(np.meshgrid(*map(np.arange, SIZES), indexing="ij"), axis=-1).reshape(-1, 3)
    return np.random.default_rng(0).permutation(np.repeat(grid, 30, axis=0))


@pytest.fixture
def perfect(factors) -> np.ndarray:
    """One latent a factor, each of variance 1."""
    return (factors - factors.mean(0)) / factors.std(0)


@pytest.fixture
def rotated(perfect) -> np.ndarray:
    """The perfect code with its first two latents turned by half a right angle."""
    turn = np.array([[1, 1, 0], [-1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
    return perfect @ turn


@pytest.fixture
def noise(factors) -> np.ndarray:
    """A code that knows nothing."""
    return np.random.default_rng(2).standard_normal(factors.shape)
