"""The discriminator of FactorVAE against a Gaussian whose total correlation is known."""

import math

import pytest
import torch

from vae_lightning.regularizers import Discriminator, permute_dims


def test_permuting_keeps_each_latents_values_and_breaks_their_pairs():
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


def test_a_blind_discriminator_pays_log_2():
    discriminator = Discriminator(2, [4])
    torch.nn.init.zeros_(discriminator[-2].weight)
    torch.nn.init.zeros_(discriminator[-2].bias)
    assert discriminator.loss(torch.randn(5, 2), torch.randn(5, 2)).item() == pytest.approx(math.log(2))


def test_the_papers_has_six_layers_of_a_thousand():
    sizes = [p.numel() for p in Discriminator(10, [1000] * 6).parameters()]
    assert sum(sizes) == 10 * 1000 + 5 * 1000**2 + 6 * 1000 + 1000 + 1


def test_the_ratio_learns_the_total_correlation_of_a_correlated_gaussian():
    """ρ = 0.8: TC = -½ log(1 - ρ²) = 0.511 nats."""
    torch.manual_seed(0)
    mixing = torch.tensor([[1.0, 0.8], [0.0, 0.6]])  # rows of N(0, I) times this have correlation 0.8
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
