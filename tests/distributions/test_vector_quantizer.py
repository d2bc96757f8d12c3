"""Tests of the vector quantizer: nearest codes, straight-through gradient, moving averages and reset of dead codes."""

import pytest
import torch

from vae_lightning.distributions import VectorQuantizer
from vae_lightning.distributions.codebook import Codebook
from vae_lightning.errors import UserError


@pytest.fixture
def quantizer():
    torch.manual_seed(0)
    return VectorQuantizer(6, 8, code_dim=2, codebook_size=5, ema=True, decay=0.9)


def test_codes_are_the_nearest_by_brute_force(quantizer):
    q = quantizer.eval()(torch.randn(7, 6))
    assert q.features.shape == q.codes.shape == (7, 4, 2)
    for feature, code, index in zip(q.features.flatten(0, 1), q.codes.flatten(0, 1), q.indices.flatten(), strict=True):
        distances = [(feature - entry).square().sum().item() for entry in quantizer.codebook.embedding]
        assert index == min(range(5), key=distances.__getitem__)
        assert torch.equal(code, quantizer.codebook.embedding[index])
    assert torch.equal(quantizer.lookup(q.indices), q.mean)


def test_gradient_is_straight_through(quantizer):
    q = quantizer.eval()(torch.randn(3, 6))
    features = q.features.detach().requires_grad_()
    z = q._replace(features=features).rsample()
    torch.testing.assert_close(z, q.mean)
    direction = torch.randn_like(z)
    z.backward(direction)
    assert torch.equal(features.grad.flatten(1), direction)


def test_moving_averages_equal_the_paper(quantizer):
    """N ← γN + (1-γ)n, m ← γm + (1-γ) Σ z, e = m / N. van den Oord et al. 2017, Eqs. 6 to 8."""
    quantizer.train()(torch.randn(7, 6))  # initially, each code is reset to a feature
    use, sums, x = quantizer.codebook.use.clone(), quantizer.codebook.sums.clone(), torch.randn(7, 6)
    dead = quantizer.codebook.use < 0.01 * 28 / 5
    assert not dead.any()
    q = quantizer(x)
    for k in range(5):
        assigned = q.features[q.indices == k].detach()
        n, m = 0.9 * use[k] + 0.1 * len(assigned), 0.9 * sums[k] + 0.1 * assigned.sum(0)
        torch.testing.assert_close(quantizer.codebook.use[k], n)
        torch.testing.assert_close(quantizer.codebook.embedding[k], m / n)


def test_dead_code_is_reset_to_a_feature(quantizer):
    quantizer.train()(torch.randn(7, 6))
    quantizer.codebook.use[2] = 0.0
    quantizer.codebook.embedding[2] = 1000.0
    others = quantizer.codebook.embedding[[0, 1, 3, 4]].clone()
    flat = torch.randn(28, 2)
    quantizer.codebook.reset_dead_codes(flat)
    assert (flat == quantizer.codebook.embedding[2]).all(1).any()
    assert torch.equal(quantizer.codebook.embedding[[0, 1, 3, 4]], others)
    quantizer.codebook.reset_dead_codes(torch.randn(28, 2))
    assert (flat == quantizer.codebook.embedding[2]).all(1).any()  # not reset again


def test_evaluation_leaves_the_codebook_unchanged(quantizer):
    quantizer.train()(torch.randn(7, 6))
    before = {name: value.clone() for name, value in quantizer.state_dict().items()}
    quantizer.eval()(torch.randn(7, 6))
    assert all(torch.equal(value, before[name]) for name, value in quantizer.state_dict().items())


def test_codes_are_parameters_without_ema():
    quantizer = VectorQuantizer(6, 8, code_dim=2, codebook_size=5, ema=False, decay=0.9)
    quantizer(torch.randn(7, 6))
    before = quantizer.codebook.embedding.detach().clone()
    q = quantizer(torch.randn(7, 6))
    assert torch.equal(quantizer.codebook.embedding, before)
    q.codes.sum().backward()
    assert quantizer.codebook.embedding.grad.abs().sum() > 0


@pytest.mark.parametrize("ema", [True, False])
def test_checkpoint_with_the_codebook_in_the_quantizer_loads_and_resumes(ema):
    """Before `Codebook` was a module, its tensors were the quantizer's own, and its parameter the first."""
    options = {"code_dim": 2, "codebook_size": 5, "ema": ema, "decay": 0.9}
    old = VectorQuantizer(6, 8, **options).train()
    old(torch.randn(7, 6))
    new = torch.nn.Sequential(VectorQuantizer(6, 8, **options))  # the keys have a prefix
    new.load_state_dict({f"0.{name.removeprefix('codebook.')}": value for name, value in old.state_dict().items()})
    assert all(torch.equal(value, new[0].state_dict()[name]) for name, value in old.state_dict().items())
    parameters = [name for name, _ in new.named_parameters()]
    assert parameters == ["0.codebook.embedding"] * (not ema) + ["0.features.weight", "0.features.bias"]


def test_latent_dim_that_is_no_multiple_of_code_dim_raises():
    with pytest.raises(UserError, match=r"model.latent_dim=7: must be a multiple of 2, the latents per code"):
        VectorQuantizer(6, 7, code_dim=2, codebook_size=5, ema=True, decay=0.9)


def test_a_reset_code_is_the_mean_of_its_moving_averages():
    """Otherwise the next update would shrink it."""
    book = Codebook(5, 2, ema=True, decay=0.9)
    book.reset_dead_codes(torch.randn(28, 2))
    torch.testing.assert_close(book.sums / book.use[:, None], book.embedding)


def test_codes_are_dead_below_a_hundredth_of_uniform_use():
    book = Codebook(2, 2, ema=True, decay=0.9)
    book.use.copy_(torch.tensor([0.9, 1.1]))
    book.embedding.fill_(9.0)
    book.reset_dead_codes(torch.randn(200, 2))  # 100 vectors per code
    assert (book.embedding == 9).all(1).tolist() == [False, True]
