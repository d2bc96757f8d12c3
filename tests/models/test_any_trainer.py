"""Tests of models in a Trainer of the user's, with data loaders of the user's."""

from functools import partial

import pytest
import torch
from small_training import digits, quiet_trainer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset

import vae_lightning
from vae_lightning.errors import UserError
from vae_lightning.models import AAE, VAE, BetaTCVAE

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")  # of Lightning, about loaders

X, Y = torch.rand(20, 1, 8, 8), torch.zeros(20, dtype=torch.int64)
DATA_SETS = {"images": list(X), "tuples": TensorDataset(X), "labels": TensorDataset(X, Y)}


@pytest.mark.parametrize("kind", DATA_SETS)
@pytest.mark.parametrize("model", [VAE, BetaTCVAE, partial(AAE, discriminator_dims=[8])])
def test_loaders_of_images_with_or_without_labels_can_be_used(model, kind, parts):
    """The objective of the β-TCVAE needs the number of training images, which it takes from the loader."""
    model, loader = model(**parts), DataLoader(DATA_SETS[kind], batch_size=5)
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model, loader, loader)
    assert trainer.callback_metrics["train/distortion"].isfinite()
    assert model.regularizer.dataset_size == 20
    trainer.test(model, loader, verbose=False)
    means = torch.cat(trainer.predict(model, loader))
    torch.testing.assert_close(means, model.encode(X).mean)


@pytest.mark.parametrize(("data", "kind"), [(TensorDataset(X, Y, Y), "a list of 3"), ([{"x": x} for x in X], "a dict")])
def test_other_batches_are_rejected(data, kind, parts):
    with pytest.raises(UserError, match=rf"^batch: must be images, or \(images, labels\), got {kind}\. Change"):
        quiet_trainer(max_epochs=1).fit(VAE(**parts), DataLoader(data, batch_size=5))


def test_test_images_of_a_data_module_are_predicted(parts):
    model, data = VAE(**parts), digits()
    means = torch.cat(quiet_trainer().predict(model, data))
    torch.testing.assert_close(means, model.encode(data.splits["test"].x).mean)


def test_model_that_cannot_be_described_is_saved_to_resume_from(parts, tmp_path):
    model = partial(VAE, **parts, scheduler=partial(LambdaLR, lr_lambda=lambda epoch: 0.5))
    loader, path = DataLoader(DATA_SETS["images"], batch_size=5), tmp_path / "model.ckpt"
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(model(), loader)
    with pytest.warns(UserWarning, match=r"cannot be described in a checkpoint.*vae_lightning\.load cannot load this"):
        trainer.save_checkpoint(path)
    trainer = quiet_trainer(max_epochs=2)
    trainer.fit(model(), loader, ckpt_path=path, weights_only=True)
    assert trainer.global_step == 8
    with pytest.raises(UserError, match="not a checkpoint of vae_lightning"):
        vae_lightning.load(path)


@pytest.mark.parametrize("conditional", [False, True])
def test_weights_can_have_half_precision(conditional, parts):
    model = VAE(**{**parts, "conditional": conditional})
    trainer = quiet_trainer(max_epochs=1, precision="bf16-true")
    trainer.fit(model, DataLoader(DATA_SETS["labels"], batch_size=5))
    assert trainer.callback_metrics["train/nelbo"].isfinite()
    assert next(model.parameters()).dtype == torch.bfloat16
    assert model.reconstruct(X, Y if conditional else None).isfinite().all()
