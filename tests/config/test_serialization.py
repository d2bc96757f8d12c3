"""Tests that models built in Python are described in checkpoints, so a checkpoint of a plain Trainer can be loaded."""

from functools import partial

import lightning as L
import pytest
import torch
from hydra.utils import instantiate

import vae_lightning
from vae_lightning.config.serialization import Configurable, describe
from vae_lightning.data import DigitsDataModule
from vae_lightning.distributions import Gaussian, VampPrior
from vae_lightning.errors import UserError
from vae_lightning.models import VAE, BetaTCVAE, ELBOModule
from vae_lightning.networks import MLP
from vae_lightning.regularizers import KL


class Base(Configurable):
    def __init__(self, a: int, *, b: object = None) -> None:
        self.a, self.b = a, b


class Child(Base):
    def __init__(self, c: float = 1.0, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.c = c


def test_arguments_are_described_by_name():
    target = f"{__name__}.Child"
    assert describe(Child(2.0, a=1, b=[Base(3)])) == {
        "_target_": target,
        "c": 2.0,
        "a": 1,
        "b": [{"_target_": f"{__name__}.Base", "a": 3}],
    }
    assert describe(Child(a=1)) == {"_target_": target, "a": 1}


def test_classes_and_partials_are_described():
    assert describe(partial(torch.optim.Adam, lr=1e-3)) == {
        "_target_": "torch.optim.adam.Adam",
        "_partial_": True,
        "lr": 1e-3,
    }
    assert describe({"prior": VampPrior}) == {
        "prior": {"_target_": "vae_lightning.distributions.prior.VampPrior", "_partial_": True}
    }


def test_model_composed_of_a_regularizer_is_described(parts):
    regularizer = describe(ELBOModule(regularizer=KL(beta=2.0), **parts))["regularizer"]
    assert regularizer == {"_target_": "vae_lightning.regularizers.kl.KL", "beta": 2.0}


def test_argument_that_cannot_be_described_raises():
    with pytest.raises(UserError, match=r"cannot be described in a checkpoint"):
        describe(Base(1, b=torch.zeros(2)))


def test_model_can_be_rebuilt_from_its_description():
    model = BetaTCVAE(beta=3.0, image_shape=(1, 8, 8), network=MLP(hidden_dims=[5]), likelihood=Gaussian(sigma=0.2))
    rebuilt = instantiate(describe(model), _convert_="all")
    assert type(rebuilt) is BetaTCVAE
    assert rebuilt.regularizer.beta == 3.0
    assert rebuilt.state_dict().keys() == model.state_dict().keys()
    rebuilt.load_state_dict(model.state_dict())


@pytest.mark.filterwarnings("ignore:`isinstance")  # Lightning's own use of torch
def test_load_a_checkpoint_of_a_plain_trainer(tmp_path):
    model = VAE(latent_dim=3, image_shape=(1, 28, 28), network=MLP(hidden_dims=[16]))
    trainer = L.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(model, datamodule=DigitsDataModule())
    (path,) = tmp_path.rglob("*.ckpt")
    loaded = vae_lightning.load(path)
    assert all(torch.equal(loaded.state_dict()[name], value.cpu()) for name, value in model.state_dict().items())
    assert loaded.sample(2).shape == (2, 1, 28, 28)
    trainer.save_checkpoint(tmp_path / "weights.ckpt", weights_only=True)
    assert vae_lightning.load(tmp_path / "weights.ckpt").latent_dim == 3
