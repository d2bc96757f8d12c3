"""Tests of the arrangement of codes as latents, for vectors and maps."""

import pytest
import torch
from torch.testing import assert_close

from vae_lightning.distributions import FiniteScalarQuantizer, VectorQuantizer
from vae_lightning.distributions.codes import as_latents


def quantizers(latent_shape, num_features=3):
    """Return a quantizer of each kind, with codes of two latents."""
    options = {"code_dim": 2, "codebook_size": 7, "ema": True, "decay": 0.9}
    return (
        VectorQuantizer(num_features, latent_shape, **options),
        FiniteScalarQuantizer(num_features, latent_shape, levels=[3, 4]),
    )


@pytest.mark.parametrize(("latent_shape", "num_codes"), [(8, 4), ((4, 3, 5), 30), ((2, 1, 1), 1)])
def test_indices_look_up_the_codes_of_their_images(latent_shape, num_codes):
    features = torch.randn(6, 3) if isinstance(latent_shape, int) else torch.randn(6, 3, *latent_shape[1:])
    for quantizer in quantizers(latent_shape):
        q = quantizer(features)
        quantizer.eval()
        q = quantizer(features)
        assert q.indices.shape == (6, num_codes)
        assert 0 <= q.indices.min() <= q.indices.max() < quantizer.codebook_size
        assert_close(quantizer.lookup(q.indices), q.mean, rtol=0, atol=0)
        assert_close(q.rsample(), q.mean)


def test_code_of_a_map_consists_of_the_channels_at_one_position():
    vectors = torch.arange(2 * 12 * 2.0).view(2, 12, 2)  # two groups of codes at 2 x 3 positions
    latents = as_latents(vectors, grid_size=6).view(2, 4, 2, 3)
    for group in range(2):
        for row in range(2):
            for column in range(3):
                code = vectors[:, 6 * group + 3 * row + column]
                assert torch.equal(latents[:, 2 * group : 2 * group + 2, row, column], code)


def test_vectors_are_divided_into_consecutive_latents():
    latents = torch.randn(3, 8)
    assert torch.equal(as_latents(latents.view(3, 4, 2), grid_size=1), latents)
