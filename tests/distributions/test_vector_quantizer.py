"""The codebook: nearest by brute force, straight through, following, revived."""

import pytest
import torch

from vae_lightning.distributions import VectorQuantizer
from vae_lightning.errors import UserError


@pytest.fixture
def codebook():
    torch.manual_seed(0)
    return VectorQuantizer(6, 8, code_dim=2, codebook_size=5, ema=True, decay=0.9)


def test_each_code_is_the_nearest_by_brute_force(codebook):
    q = codebook.eval()(torch.randn(7, 6))
    assert q.features.shape == q.codes.shape == (7, 4, 2)
    for feature, code, index in zip(q.features.flatten(0, 1), q.codes.flatten(0, 1), q.indices.flatten(), strict=True):
        distances = [(feature - entry).square().sum().item() for entry in codebook.embedding]
        assert index == min(range(5), key=distances.__getitem__)
        assert torch.equal(code, codebook.embedding[index])
    assert torch.equal(codebook.lookup(q.indices), q.mean)


def test_the_gradient_passes_straight_through(codebook):
    q = codebook.eval()(torch.randn(3, 6))
    features = q.features.detach().requires_grad_()
    z = q._replace(features=features).rsample()
    torch.testing.assert_close(z, q.mean)
    direction = torch.randn_like(z)
    z.backward(direction)
    assert torch.equal(features.grad.flatten(1), direction)


def test_the_moving_average_is_the_papers(codebook):
    """van den Oord et al. 2017, Eqs. 6 to 8: N ← γN + (1-γ)n, m ← γm + (1-γ) Σ z, e = m / N."""
    codebook.train()(torch.randn(7, 6))  # the start: every code begins at a feature
    use, sums, x = codebook.use.clone(), codebook.sums.clone(), torch.randn(7, 6)
    dead = codebook.use < 0.01 * 28 / 5
    assert not dead.any()
    q = codebook(x)
    for k in range(5):
        asked = q.features[q.indices == k].detach()
        n, m = 0.9 * use[k] + 0.1 * len(asked), 0.9 * sums[k] + 0.1 * asked.sum(0)
        torch.testing.assert_close(codebook.use[k], n)
        torch.testing.assert_close(codebook.embedding[k], m / n)


def test_a_dead_code_begins_anew_at_a_feature(codebook):
    codebook.train()(torch.randn(7, 6))
    codebook.use[2] = 0.0
    codebook.embedding[2] = 1000.0
    others = codebook.embedding[[0, 1, 3, 4]].clone()
    flat = torch.randn(28, 2)
    codebook.reset_dead_codes(flat)
    assert (flat == codebook.embedding[2]).all(1).any()
    assert torch.equal(codebook.embedding[[0, 1, 3, 4]], others)
    codebook.reset_dead_codes(torch.randn(28, 2))
    assert (flat == codebook.embedding[2]).all(1).any()  # it is alive now


def test_evaluation_changes_nothing(codebook):
    codebook.train()(torch.randn(7, 6))
    before = {name: value.clone() for name, value in codebook.state_dict().items()}
    codebook.eval()(torch.randn(7, 6))
    assert all(torch.equal(value, before[name]) for name, value in codebook.state_dict().items())


def test_with_a_codebook_loss_the_codes_are_parameters():
    codebook = VectorQuantizer(6, 8, code_dim=2, codebook_size=5, ema=False, decay=0.9)
    codebook(torch.randn(7, 6))
    before = codebook.embedding.detach().clone()
    q = codebook(torch.randn(7, 6))
    assert torch.equal(codebook.embedding, before)
    q.codes.sum().backward()
    assert codebook.embedding.grad.abs().sum() > 0


def test_codes_that_do_not_fill_the_latent_are_refused():
    with pytest.raises(UserError, match=r"model.latent_dim=7: must be a multiple of model.code_dim=2"):
        VectorQuantizer(6, 7, code_dim=2, codebook_size=5, ema=True, decay=0.9)
