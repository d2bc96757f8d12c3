"""Tests of the triplet VAE with few labels."""

from types import SimpleNamespace

import pytest
import torch
from small_training import digits, quiet_trainer

from vae_lightning.errors import UserError
from vae_lightning.models import TVAE
from vae_lightning.networks import MLP

OPTIONS = {"image_shape": (1, 8, 8), "network": MLP(hidden_dims=[16]), "latent_dim": 2}


def test_triplets_are_drawn_among_all_labeled_images_if_few_are():
    """With 2 labels per class, a batch of the epoch has hardly any triplets."""
    model, data = TVAE(**OPTIONS), digits()
    data.labeled_per_class = 2
    drawn = []
    model.regularizer.triplet_terms = record(model.regularizer.triplet_terms, drawn)
    quiet_trainer(max_epochs=1, limit_train_batches=2, limit_val_batches=0).fit(model, datamodule=data)
    of_labeled = drawn[::2]  # the others are those of batches without labels
    assert len(of_labeled) == 2
    assert all((y >= 0).all() and len(y) == data.batch_size for y in of_labeled)
    assert drawn[1] is drawn[3] is None


def test_loss_with_few_labels_is_that_of_the_labeled_images():
    """If the labeled images are those of the batch, the terms are those with all labels."""
    torch.manual_seed(0)
    x, y = torch.rand(12, 1, 8, 8), torch.arange(12) % 3

    class Model(TVAE):
        data_module = SimpleNamespace(random_batch=lambda n, device, among: (x, y))

    model = Model(**OPTIONS, triplet_weight=3.0)
    model.warmup = 0.5
    out = model(x, y)
    terms = []
    for model.labeled in (None, torch.arange(12)):
        torch.manual_seed(1)
        terms.append(model.training_terms(out))
    torch.testing.assert_close(terms[1], terms[0])
    assert terms[0]["triplet_loss"] > 0


def test_conditional_model_is_rejected():
    with pytest.raises(UserError, match=r"^model\.conditional=true: TVAE learns codes that tell the classes apart"):
        TVAE(**OPTIONS, conditional=True, num_classes=10)


def record(function, calls):
    """Return the function, which appends its second argument to a list."""

    def recorded(mean, y):
        calls.append(y)
        return function(mean, y)

    return recorded
