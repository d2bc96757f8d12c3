"""Tests of residual quantization. Lee et al. 2022."""

import pytest
import torch
from torch import nn

from vae_lightning.distributions import ResidualQuantizer, VectorQuantizer

OPTIONS = {"code_dim": 2, "codebook_size": 16, "decay": 0.9}


def quantizer(num_features: int = 2, **options) -> ResidualQuantizer:
    """Return a quantizer whose projection is the identity."""
    module = ResidualQuantizer(num_features, num_features, **(OPTIONS | options))
    module.features = nn.Identity()
    return module


def test_residuals_by_hand():
    """(5, 1) = (4, 0) + (1, 1), and (-1, 4) = (0, 4) + (-1, 0) + ..., where the nearest code to (0, 0) is (0, 0)."""
    module = quantizer(4, codebook_size=5, depth=3, shared_codebook=True).eval()
    module.codebooks[0].embedding.copy_(torch.tensor([[0, 0], [4, 0], [0, 4], [1, 1], [-1, 0]]))
    q = module(torch.tensor([[5.0, 1.0, -1.0, 4.0]]))
    assert q.indices.tolist() == [[1, 3, 0, 2, 4, 0]]  # by vector, then from coarse to fine
    assert q.partial_sums[:, 0].tolist() == [[[4, 0], [0, 4]], [[5, 1], [-1, 4]], [[5, 1], [-1, 4]]]
    assert q.codes.tolist() == [[[5, 1], [-1, 4]]]
    assert module.lookup(q.indices).tolist() == [[5, 1, -1, 4]]


@pytest.mark.parametrize("shared_codebook", [True, False])
def test_error_decreases_with_depth(shared_codebook):
    torch.manual_seed(0)
    module, x = quantizer(depth=4, shared_codebook=shared_codebook), torch.randn(500, 2)
    for _ in range(50):
        module(x)
    q = module.eval()(x)
    errors = (q.features - q.partial_sums).square().sum(-1).mean((1, 2))
    assert (errors.diff() < 0).all(), errors


@pytest.mark.parametrize("shared_codebook", [True, False])
def test_depth_1_is_vector_quantization(shared_codebook):
    """The same codebook before and after three steps of training."""
    modules = []
    for cls, options in (
        (ResidualQuantizer, {"depth": 1, "shared_codebook": shared_codebook}),
        (VectorQuantizer, {"ema": True}),
    ):
        torch.manual_seed(0)
        module = cls(6, 8, **OPTIONS, **options)
        outputs = [module(torch.randn(20, 6)) for _ in range(3)]
        modules.append((module, outputs))
    (residual, first), (vector, second) = modules
    assert torch.equal(residual.codebooks[0].embedding, vector.codebook.embedding)
    for q, expected in zip(first, second, strict=True):
        assert torch.equal(q.indices, expected.indices)
        assert torch.equal(q.codes, expected.codes)
        assert torch.equal(q.partial_sums, expected.codes[None])


@pytest.mark.parametrize(("shared_codebook", "number"), [(True, 1), (False, 3)])
def test_number_of_codebooks(shared_codebook, number):
    names = [name for name, _ in quantizer(depth=3, shared_codebook=shared_codebook).named_buffers()]
    assert len([name for name in names if name.endswith("embedding")]) == number
