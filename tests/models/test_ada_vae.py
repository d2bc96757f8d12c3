"""Tests of the weakly supervised VAEs against closed forms."""

from functools import partial

import lightning as L
import pytest
import torch
from small_training import quiet_trainer
from torch.distributions import Normal, kl_divergence

from vae_lightning.data import DigitsDataModule, SpritesDataModule
from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.errors import UserError
from vae_lightning.models import VAE, AdaGVAE, AdaMLVAE
from vae_lightning.networks import MLP

A = DiagonalGaussian(torch.tensor([[0.0, 1.0, 3.0]]), torch.tensor([[1.0, 4.0, 1.0]]).log())
B = DiagonalGaussian(torch.tensor([[0.2, 2.0, -3.0]]), torch.tensor([[1.0, 1.0, 1.0]]).log())


def pair() -> DiagonalGaussian:
    """Return the posteriors of a pair that shares its first two latents."""
    return DiagonalGaussian(*(torch.cat(halves) for halves in zip(A, B, strict=True)))


def sprites(**options) -> SpritesDataModule:
    return SpritesDataModule(
        image_shape=(1, 16, 16), factor_sizes=[3, 2, 2, 4, 4], val_size=30, test_size=30, batch_size=50, **options
    )


@pytest.mark.parametrize(
    ("cls", "mu", "variance"),
    [
        (AdaGVAE, [0.1, 1.5], [1.0, 2.5]),  # means of means and of variances
        (AdaMLVAE, [0.1, (1 / 4 + 2) / (1 / 4 + 1)], [1.0, 2 / (1 / 4 + 1)]),  # weights 1/σ², harmonic mean
    ],
)
def test_shared_latents_have_the_posterior_worked_out_by_hand(cls, mu, variance, parts):
    q, is_shared = cls(**parts).share(pair())
    divergence = kl_divergence(Normal(A.mu, (A.logvar / 2).exp()), Normal(B.mu, (B.logvar / 2).exp()))[0]
    assert is_shared.tolist() == [(divergence < (divergence.min() + divergence.max()) / 2).tolist()]
    assert is_shared.tolist() == [[True, True, False]]
    torch.testing.assert_close(q.mu, torch.tensor([[*mu, 3.0], [*mu, -3.0]]))
    torch.testing.assert_close(q.logvar.exp(), torch.tensor([[*variance, 1.0], [*variance, 1.0]]))


@pytest.mark.parametrize(("k", "shared"), [(1, [True, True, False]), (2, [True, False, False])])
def test_known_number_of_latents_is_not_shared(k, shared, parts):
    q, is_shared = AdaGVAE(changed_latents=k, **parts).share(pair())
    assert is_shared.tolist() == [shared]
    assert (q.mu[0] == q.mu[1]).tolist() == shared


@pytest.mark.parametrize("k", [0, 3])
def test_as_many_changed_latents_as_there_are_raise(k, parts):
    with pytest.raises(UserError, match=rf"^model.changed_latents={k}: must be from 1 to 2, one less than"):
        AdaGVAE(changed_latents=k, **parts)


def test_product_of_square_roots_of_densities_is_the_gaussian_of_ada_ml_vae(parts):
    """Up to a constant: the difference of the logarithms is the same for all z."""
    combined = AdaMLVAE(**parts).combine(A, B)
    z = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    difference = combined.log_prob(z) - (A.log_prob(z) + B.log_prob(z)) / 2
    torch.testing.assert_close(difference, difference[:1].expand(20))


@pytest.mark.parametrize("cls", [AdaGVAE, AdaMLVAE])
def test_equal_images_keep_their_posterior(cls, parts):
    q = DiagonalGaussian(*(t.repeat(2, 1) for t in A))
    shared, _ = cls(**parts).share(q)
    torch.testing.assert_close(tuple(shared), tuple(q))
    torch.testing.assert_close(tuple(cls(**parts).combine(A, A)), tuple(A))


@pytest.mark.filterwarnings("ignore:`isinstance")
@pytest.mark.parametrize("cls", [AdaGVAE, AdaMLVAE])
def test_training_averages_over_both_images_of_a_pair(cls, parts, monkeypatch):
    """With every image as its own partner, the loss is that of the VAE; validation is so in any case."""
    L.seed_everything(0, verbose=False)
    options = {**parts, "image_shape": (1, 16, 16), "num_classes": None, "network": MLP(hidden_dims=[8])}
    model, data = cls(**options), sprites(pairs=1)
    quiet_trainer(max_epochs=1).fit(model, datamodule=data)
    assert 0 <= model.trainer.callback_metrics["train/shared_latents"] <= 3
    x, y = data.splits["train"]
    monkeypatch.setattr(data, "random_partners", lambda y: data.splits["train"]._replace(x=x[: len(y)]))
    vae = VAE(**options)
    vae.load_state_dict(model.state_dict())
    monkeypatch.setattr(DiagonalGaussian, "rsample", lambda q, noise=None: q.mu)
    terms, expected = model.training_objective((x[:9], y[:9])), vae.objective(vae(x[:9]))
    assert terms.keys() - expected.keys() == {"shared_latents"}
    torch.testing.assert_close({name: terms[name] for name in expected}, expected)
    torch.testing.assert_close(model.objective(model(x[:9])), expected)


@pytest.mark.parametrize("cls", [AdaGVAE, AdaMLVAE])
def test_data_without_pairs_and_conditional_models_are_rejected(cls, parts):
    for data in (sprites(), DigitsDataModule()):
        with pytest.raises(UserError, match=rf"^data\.pairs=null: {cls.__name__} learns from pairs of images\. Set"):
            cls(**parts).check_data(data)
    with pytest.raises(UserError, match=rf"^model\.conditional=true: {cls.__name__} learns from pairs"):
        partial(cls, **{**parts, "conditional": True})()


def test_latents_below_the_middle_of_the_divergences_are_shared(parts):
    """With σ = 1, the divergence is half of the squared distance: 4, 6 and 10."""
    mu = torch.stack([torch.zeros(3), torch.tensor([8.0, 12.0, 20.0]).sqrt()])
    assert AdaGVAE(**parts).share(DiagonalGaussian(mu, torch.zeros(2, 3)))[1].tolist() == [[True, True, False]]
