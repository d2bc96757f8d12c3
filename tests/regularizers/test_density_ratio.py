"""Tests of the discriminator of FactorVAE, with a Gaussian of known total correlation."""

import math

import pytest
import torch

from vae_lightning.regularizers import Discriminator, permute_dims


def test_permute_dims_permutes_each_latent_independently():
    torch.manual_seed(0)
    column = torch.arange(100.0)
    z = torch.stack([column, column + 1000, -column], dim=1)
    permuted = permute_dims(z)
    assert torch.equal(permuted.sort(0).values, z.sort(0).values)
    orders = [permuted[:, 0], permuted[:, 1] - 1000, -permuted[:, 2]]
    assert not any(
        torch.equal(a, b) for a, b in [(orders[0], orders[1]), (orders[1], orders[2]), (orders[0], orders[2])]
    )
    assert all(not torch.equal(order, column) for order in orders)


def test_loss_of_an_uninformed_discriminator_is_log_2():
    discriminator = Discriminator(2, [4])
    torch.nn.init.zeros_(discriminator[-2].weight)
    torch.nn.init.zeros_(discriminator[-2].bias)
    assert discriminator.loss(torch.randn(5, 2), torch.randn(5, 2)).item() == pytest.approx(math.log(2))


def test_default_has_the_six_layers_of_the_paper():
    sizes = [p.numel() for p in Discriminator(10).parameters()]
    assert sum(sizes) == 10 * 1000 + 5 * 1000**2 + 6 * 1000 + 1000 + 1


def test_discriminator_learns_the_total_correlation_of_a_gaussian():
    """TC = -½ log(1 - ρ²) = 0.511 nats for ρ = 0.8."""
    torch.manual_seed(0)
    mixing = torch.tensor([[1.0, 0.8], [0.0, 0.6]])  # maps samples of N(0, I) to correlation 0.8
    discriminator = Discriminator(2, [64, 64])
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=3e-3)
    for _ in range(600):
        loss = discriminator.loss(torch.randn(512, 2) @ mixing, permute_dims(torch.randn(512, 2) @ mixing))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        estimate = discriminator(torch.randn(20_000, 2) @ mixing).mean().item()
    assert estimate == pytest.approx(-0.5 * math.log(1 - 0.8**2), abs=0.1)
