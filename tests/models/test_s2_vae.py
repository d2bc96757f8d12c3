"""Tests of models that are given the factors of a few images."""

import math
from functools import partial

import lightning as L
import pytest
import torch
from small_training import quiet_trainer

from vae_lightning.data import SpritesDataModule
from vae_lightning.errors import UserError
from vae_lightning.models import DIPVAE, VAE, AdaGVAE, FactorVAE, FewLabels, S2BetaVAE
from vae_lightning.models.s2_vae import factor_cross_entropy
from vae_lightning.networks import MLP
from vae_lightning.posteriors import Gamma
from vae_lightning.priors import GammaPrior

pytestmark = pytest.mark.filterwarnings("ignore:`isinstance")  # Lightning's own use of torch
OPTIONS = {"image_shape": (1, 16, 16), "network": MLP(hidden_dims=[32]), "latent_dim": 6}


def sprites(**options) -> SpritesDataModule:
    """Return a module of 192 sprites with five factors, after its setup."""
    data = SpritesDataModule(
        **{"image_shape": (1, 16, 16), "factor_sizes": [3, 2, 2, 4, 4], "batch_size": 32} | options,
        val_size=30, test_size=30,
    )  # fmt: skip
    data.setup()
    return data


def test_cross_entropy_is_the_one_worked_out_by_hand():
    mean = torch.tensor([[0.0, math.log(3.0), 9.0], [math.log(3.0), 0.0, -9.0]])  # σ = 1/2 and 3/4; one latent is free
    y, sizes = torch.tensor([[1, 0], [0, 3]]), torch.tensor([2, 4])  # v/n = 1/2 and 0, then 0 and 3/4
    first = math.log(2) + math.log(4)
    second = math.log(4) + math.log(2)
    assert factor_cross_entropy(mean, y, sizes).item() == pytest.approx((first + second) / 2)


def test_cross_entropy_is_least_at_the_factors():
    y, sizes = torch.tensor([[1, 2, 3]]), torch.tensor([2, 4, 5])
    mean = torch.logit(y / sizes).requires_grad_()
    factor_cross_entropy(mean, y, sizes).backward()
    torch.testing.assert_close(mean.grad, torch.zeros(1, 3), atol=1e-7, rtol=0)


def test_objective_is_that_of_the_other_model_and_the_cross_entropy():
    L.seed_everything(0, verbose=False)
    model, data = S2BetaVAE(beta=1.0, supervision_weight=3.0, num_labeled=20, **OPTIONS), sprites()
    x, y = data.splits["val"]
    out = model(x, y)
    vae = VAE(**OPTIONS)
    vae.load_state_dict(model.state_dict())
    expected = vae.objective(out)
    assert model.objective(out) == expected  # before the data is known
    model.check_data(data)
    assert model.factor_sizes.tolist() == [3, 2, 2, 4, 4]
    terms = model.objective(out)
    supervision = factor_cross_entropy(out.qz.mean, y, model.factor_sizes)
    torch.testing.assert_close(terms["factor_cross_entropy"], supervision)
    for name in ("loss", "objective"):
        torch.testing.assert_close(terms[name], expected[name] + 3 * supervision)
    other = data.splits["test"]
    labeled = model.objective(out, other)["factor_cross_entropy"]
    torch.testing.assert_close(labeled, factor_cross_entropy(model.encode(other.x).mean, other.y, model.factor_sizes))


class S2DIPVAE(FewLabels, DIPVAE):
    """A model whose regularizer is another one."""


class S2FactorVAE(FewLabels, FactorVAE):
    """A model with two optimizers."""


class S2AdaGVAE(FewLabels, AdaGVAE):
    """A model with pairs of images."""


@pytest.mark.parametrize("cls", [S2BetaVAE, S2DIPVAE, partial(S2FactorVAE, discriminator_dims=[8])])
def test_only_the_factors_of_the_given_images_are_used(cls):
    """The factors of all others are replaced by others, which changes nothing."""
    weights = []
    for is_noisy in (False, True):
        L.seed_everything(0, verbose=False)
        model, data = cls(num_labeled=20, **OPTIONS), sprites()
        model.check_data(data)
        assert len(model.labeled.unique()) == 20
        if is_noisy:
            y = data.splits["train"].y
            is_given = torch.zeros(len(y), dtype=torch.bool).index_fill(0, model.labeled, True)
            y[~is_given] = y[~is_given].flip(0)
        quiet_trainer(max_epochs=2).fit(model, datamodule=data)
        weights.append(torch.nn.utils.parameters_to_vector(model.parameters()))
    assert torch.equal(*weights)


@pytest.mark.parametrize("split_seed", [0, 1])
def test_given_images_do_not_depend_on_the_seed(split_seed):
    data = sprites()
    data.split_seed = split_seed
    chosen = []
    for seed in range(2):
        L.seed_everything(seed, verbose=False)
        model = S2BetaVAE(num_labeled=20, **OPTIONS)
        model.check_data(data)
        chosen.append(model.labeled.tolist())
    assert chosen[0] == chosen[1]
    other = S2BetaVAE(num_labeled=20, **OPTIONS)
    data.split_seed = 2
    other.check_data(data)
    assert other.labeled.tolist() != chosen[0]


def test_pairs_are_kept():
    model = S2AdaGVAE(num_labeled=20, **OPTIONS)
    quiet_trainer(max_epochs=1).fit(model, datamodule=sprites(pairs=1))
    assert {"train/shared_latents", "train/factor_cross_entropy"} <= model.trainer.callback_metrics.keys()


def test_too_few_images_are_reported():
    message = r"^model.num_labeled=133: there are only 132 training images. Set 132 or fewer"
    with pytest.raises(UserError, match=message):
        S2BetaVAE(num_labeled=133, **OPTIONS).check_data(sprites())


def test_encoder_that_is_given_the_factors_is_rejected():
    with pytest.raises(
        UserError, match=r"^model.conditional=true: S2BetaVAE predicts the factors, so the encoder must"
    ):
        S2BetaVAE(conditional=True, num_classes=3, **OPTIONS).check_data(sprites())


def test_latents_with_restricted_values_are_reported():
    message = r"^model/posterior: S2BetaVAE requires unconstrained latents, not positive vectors. Leave it out"
    with pytest.raises(UserError, match=message):
        S2BetaVAE(posterior=Gamma, prior=GammaPrior, **OPTIONS)


@pytest.mark.parametrize("cls", [S2BetaVAE, partial(S2FactorVAE, discriminator_dims=[8])])
def test_latents_learn_their_factors(cls):
    """The correlation of each factor with its latent, on validation images, is far above that without supervision."""
    L.seed_everything(0, verbose=False)
    data = sprites()
    model = cls(num_labeled=132, supervision_weight=100.0, **OPTIONS)
    quiet_trainer(max_epochs=60).fit(model, datamodule=data)
    x, y = data.splits["val"]
    with torch.no_grad():
        mean = model.encode(x).mean
    correlations = [torch.corrcoef(torch.stack([mean[:, k], y[:, k].float()]))[0, 1].item() for k in range(5)]
    assert min(correlations[3:]) > 0.9, correlations  # the position
    assert model.trainer.callback_metrics["train/factor_cross_entropy"] < 2.6  # about 5 log 2 = 3.5 at first
