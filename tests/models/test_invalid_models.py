"""Tests of the errors for arguments, images, labels and regularizers that no model can use."""

import lightning as L
import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.models import VAE, BetaVAE, ELBOModule
from vae_lightning.regularizers import Regularizer


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")  # of Lightning, about the loader
def test_images_outside_of_0_and_1_are_rejected_before_the_first_step(parts):
    loader = torch.utils.data.DataLoader([(2 * torch.ones(1, 8, 8), 0)] * 4, batch_size=2)
    trainer = L.Trainer(
        max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    with pytest.raises(UserError, match=r"^encode: images must lie in \[0, 1\], got values from 2.0 to 2.0"):
        trainer.fit(VAE(**parts), loader)
    assert trainer.global_step == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "mlp"}, r"^network='mlp': must be an object such as networks.Conv\(\)"),
        ({"likelihood": "gaussian"}, r"^likelihood='gaussian': must be an object such as distributions.Bernoulli\(\)"),
        ({"latent_dim": 0}, r"^model.latent_dim=0: must be an integer >= 1"),
        ({"image_shape": (28, 28)}, r"^image_shape=\(28, 28\): must be \(channels, height, width\)"),
    ],
)
def test_invalid_arguments_are_rejected(options, message, parts):
    with pytest.raises(UserError, match=message):
        VAE(**{**parts, **options})


def test_negative_weight_of_the_rate_is_rejected(parts):
    with pytest.raises(UserError, match=r"^model\.beta=-1\.0: must be a number >= 0\.$"):
        BetaVAE(beta=-1.0, **parts)


def test_labels_that_are_no_classes_are_rejected(parts, images):
    model = VAE(**{**parts, "conditional": True})
    for y in ([0, 10], [-1, 3]):
        with pytest.raises(UserError, match=rf"^y: the classes of this model are 0 to 9, got {y[0]} to {y[1]}"):
            model.encode(images[:2], torch.tensor(y))
    for y, kind in (([1, 2], "list"), (3, "int")):
        with pytest.raises(UserError, match=rf"^y: must be a tensor, got {kind}\. Pass torch\.tensor"):
            model.sample(2, y)
    with pytest.raises(UserError, match=r"^encode: images must be a tensor, got ndarray\. Pass torch\.as_tensor"):
        model.encode(images[:2].numpy(), torch.tensor([1, 2]))
    for dtype in (torch.float32, torch.bool):
        with pytest.raises(UserError, match=r"^y: classes must be integers, got torch\..*\. Pass y\.long\(\)"):
            model.encode(images[:2], torch.ones(2, dtype=dtype))
    for shape in ((2, 3), (2, 10, 1), ()):
        with pytest.raises(UserError, match=r"^y: must be classes \(B,\) or attributes \(B, 10\), got shape "):
            model.encode(images[:2], torch.zeros(shape))
    for y, count in (([0, 1], 2), (0, 1)):
        with pytest.raises(UserError, match=rf"^sample: y has {count} labels for n=3 images"):
            model.sample(3, torch.tensor(y))


def test_load_from_checkpoint_names_the_function_to_use():
    with pytest.raises(UserError, match=r"^VAE.load_from_checkpoint: not available. Use vae_lightning.load\(path\)"):
        VAE.load_from_checkpoint("best.ckpt")


class Wrong(Regularizer):
    """Returns what it is given instead of (penalty, terms)."""

    def __init__(self, result):
        super().__init__()
        self.result = result

    def forward(self, out):
        return self.result


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (torch.zeros(()), r"^Wrong.forward: must return \(penalty, terms\), got Tensor"),
        ((torch.zeros(7), {}), r"^Wrong.forward: the penalty has shape \(7,\). Average it over the batch"),
        ((torch.zeros(()),), r"^Wrong.forward: must return \(penalty, terms\), got tuple"),
        ((torch.zeros(()), {"l1": torch.zeros(7)}), r"^Wrong.forward: l1 has shape \(7,\). Average it"),
    ],
)
def test_regularizer_that_does_not_return_scalars_is_rejected(result, message, parts, images):
    model = ELBOModule(regularizer=Wrong(result), **parts)
    with pytest.raises(UserError, match=message):
        model.objective(model(images))


@pytest.mark.parametrize("name", ["loss", "objective", "distortion", "nelbo", "beta"])
def test_terms_with_the_names_of_the_models_own_are_rejected(name, parts, images):
    model = ELBOModule(regularizer=Wrong((torch.zeros(()), {name: torch.zeros(())})), **parts)
    with pytest.raises(UserError, match=rf"^Wrong\.forward: {name} is logged by the model\. Use another name"):
        model.objective(model(images))


def test_regularizer_may_return_numbers(parts, images):
    model = ELBOModule(regularizer=Wrong([0.5, {"l1": 2}]), **parts)
    terms = model.objective(model(images))
    assert terms["l1"].item() == 2
    assert terms["loss"].item() == pytest.approx(terms["distortion"].item() + 0.5)
