"""Tests that hold for every quantizer, and of the arrangement of codes as latents, for vectors and maps."""

import math
from functools import partial
from itertools import product

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from vae_lightning.distributions import (
    Bernoulli,
    FiniteScalarQuantizer,
    ForwardPass,
    LookupFreeQuantizer,
    Quantizer,
    ResidualQuantizer,
    VectorQuantizer,
)
from vae_lightning.distributions.codes import as_latents
from vae_lightning.priors import UniformCodes
from vae_lightning.regularizers import CodeUsage, LookupFreeQuantization, Quantization

LEARNED = {"code_dim": 2, "codebook_size": 7, "decay": 0.9}
QUANTIZERS = {  # with codes of two latents, and the regularizer of their model
    "vector": (partial(VectorQuantizer, **LEARNED, ema=True), Quantization(ema=True)),
    "finite_scalar": (partial(FiniteScalarQuantizer, levels=[3, 4]), CodeUsage()),
    "lookup_free": (partial(LookupFreeQuantizer, code_dim=2), LookupFreeQuantization()),
    "residual": (
        partial(ResidualQuantizer, **LEARNED, depth=3, shared_codebook=False),
        Quantization(ema=True),
    ),
    "shared_residual": (
        partial(ResidualQuantizer, **LEARNED, depth=3, shared_codebook=True),
        Quantization(ema=True),
    ),
}
SHAPES = [(8, 4), ((4, 3, 5), 30), ((2, 1, 1), 1)]  # of the latents, and P


def build(kind: str, latent_shape: int | tuple[int, int, int]) -> tuple[Quantizer, torch.Tensor]:
    """Return a quantizer after a step of training, in eval mode, and the features of 6 images."""
    torch.manual_seed(0)
    features = torch.randn(6, 3) if isinstance(latent_shape, int) else torch.randn(6, 3, *latent_shape[1:])
    quantizer = QUANTIZERS[kind][0](3, latent_shape)
    quantizer(features)
    return quantizer.eval(), features


@pytest.mark.parametrize("kind", QUANTIZERS)
@pytest.mark.parametrize(("latent_shape", "num_vectors"), SHAPES)
def test_indices_look_up_the_codes_of_their_images(kind, latent_shape, num_vectors):
    quantizer, features = build(kind, latent_shape)
    q = quantizer(features)
    depth = 3 if "residual" in kind else 1
    assert quantizer.num_codes == num_vectors * depth
    assert q.indices.shape == (6, quantizer.num_codes)
    assert q.indices.dtype == torch.int64
    assert 0 <= q.indices.min() <= q.indices.max() < quantizer.codebook_size
    assert torch.equal(quantizer.lookup(q.indices), q.mean)
    assert_close(q.rsample(), q.mean)


@pytest.mark.parametrize("kind", QUANTIZERS)
@pytest.mark.parametrize(("latent_shape", "num_vectors"), SHAPES)
def test_gradient_of_the_latents_is_that_of_the_features(kind, latent_shape, num_vectors):
    quantizer, features = build(kind, latent_shape)
    q = quantizer(features)
    leaf = q.features.detach().requires_grad_()
    z = q._replace(features=leaf).rsample()
    direction = torch.randn_like(z)
    z.backward(direction)
    assert torch.equal(as_latents(leaf.grad, q.grid_size), direction)


@pytest.mark.parametrize("kind", QUANTIZERS)
@pytest.mark.parametrize(("latent_shape", "num_vectors"), SHAPES)
def test_rate_and_use_of_codes(kind, latent_shape, num_vectors):
    quantizer, features = build(kind, latent_shape)
    x, q = torch.zeros(6, 1, 1, 1), quantizer(features)
    prior = UniformCodes(latent_dim=q.mean.shape[1], posterior=quantizer)(None, None)
    _, terms = QUANTIZERS[kind][1](ForwardPass(x, None, q, prior, q.mean, Bernoulli()(x)))
    assert terms["rate"].item() == pytest.approx(quantizer.num_codes * math.log(quantizer.codebook_size))
    counts = q.indices.unique(return_counts=True)[1] / q.indices.numel()
    assert terms["codes_in_use"].item() == pytest.approx(len(counts) / quantizer.codebook_size)
    assert terms["perplexity"].item() == pytest.approx((-counts * counts.log()).sum().exp().item())


def invert(quantizer: Quantizer, latents: torch.Tensor) -> torch.Tensor:
    """Return features that the quantizer, whose projection is the identity, maps to these latents (B, d)."""
    if isinstance(quantizer, FiniteScalarQuantizer):
        half_widths, offsets, shifts = (quantizer.get_buffer(name) for name in ("half_widths", "offsets", "shifts"))
        return torch.atanh((latents * (quantizer.levels // 2) + offsets) / half_widths) - shifts
    return latents


@pytest.mark.parametrize("kind", [kind for kind in QUANTIZERS if kind != "shared_residual"])
def test_every_code_is_quantized_to_itself(kind):
    """With residual quantization, if the codes of each depth are shorter than the distances at the one before."""
    quantizer = QUANTIZERS[kind][0](2, 2).eval()
    quantizer.features = nn.Identity()
    if kind == "residual":
        codes = torch.tensor([[0.0, 0], [3, 0], [-3, 0], [0, 3], [0, -3], [3, 3], [-3, -3]])
        for n, codebook in enumerate(quantizer.codebooks):
            codebook.embedding.copy_(codes / 10**n)
    indices = torch.tensor([*product(range(quantizer.codebook_size), repeat=quantizer.num_codes)])
    assert torch.equal(quantizer(invert(quantizer, quantizer.lookup(indices))).indices, indices)


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
