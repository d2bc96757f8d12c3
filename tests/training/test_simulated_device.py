"""Tests that nothing mixes the device of the training with the CPU, and that its results are those of the CPU."""

import pytest
import torch
from simulated_device import DEVICE, ON_DEVICE, simulated_device
from test_properties import MODELS, build, load_choice, total_loss

from vae_lightning.evaluation.evaluate import evaluate
from vae_lightning.training.train import train


def test_operations_on_both_devices_raise():
    with simulated_device():
        x = torch.ones(2, 3).to(DEVICE)
        assert (x.sum(0) + torch.tensor(1.0)).tolist() == [3, 3, 3]
        for mix in (
            lambda: x + torch.ones(3),
            lambda: torch.ones(2, 3)[x.long()],
            lambda: torch.randn(3, generator=torch.Generator(), device=DEVICE),
            lambda: x.normal_(generator=torch.Generator()),
        ):
            with pytest.raises(AssertionError, match=r"of the CPU|on the CPU"):
                mix()


@pytest.mark.parametrize(
    "options",
    [
        ["model=vae", "callbacks.figures.every_n_epochs=5"],  # draws all figures
        ["model=cvae", "callbacks.figures.final=[class_swap,class_traversals,imputations]"],
        ["model=factor_vae", "model.discriminator_dims=[16]", "model.discriminator_optimizer.fused=false"],
        ["model=vade", "model.pretrain_epochs=1"],
        ["model=m2", "data.labeled_per_class=5", "data.device_resident=true"],
        ["model=vq_vae", "model.latent_dim=8", "data.binarize=dynamic", "data.flip=true", "data.device_resident=true"],
        ["model=vdvae", "callbacks=deep", "callbacks.figures.final=[samples_by_temperature]"],
    ],
    ids=lambda options: options[0],
)
def test_training_on_a_device_gives_the_metrics_of_the_cpu(options, small):
    options = [*options, "trainer.max_epochs=1"]
    expected = train(small(*options, "model.optimizer.fused=false", "callbacks.figures=null", run="cpu"))
    with simulated_device():
        metrics = train(small(*options, *ON_DEVICE, run="device"))
    assert metrics == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("model", MODELS)
def test_operations_of_a_model_run_on_a_device(model):
    config = load_choice("model", model) | {"image_shape": [1, 8, 8], "num_classes": 3, "latent_dim": 4}
    config |= {"network": load_choice("model/network", "ladder" if model == "vdvae" else "mlp")}
    config |= {"conditional": model in ("cvae_gan", "m2")}
    model = build(config)
    with simulated_device():
        model.to(DEVICE)
        x = torch.randint(256, (6, 1, 8, 8), dtype=torch.uint8).to(DEVICE)
        y = torch.arange(6).remainder(3).to(DEVICE)
        out = model(x, y)
        total_loss(model, out, model.objective(out)).backward()
        model.eval()
        labels = y if model.condition_dim else None
        assert model.reconstruct(x, y).device == DEVICE
        assert model.sample(6, labels, torch.Generator()).device == DEVICE
        if model.has_densities:
            assert model.log_px(x, y, samples=3).device == DEVICE


def test_evaluation_on_a_device_gives_the_numbers_of_the_cpu(small, tmp_path, monkeypatch):
    train(small("callbacks=minimal", "trainer.max_epochs=1"))
    options = {"quick": True, "only": ["likelihood", "information", "downstream"], "samples": 20}
    expected = evaluate(tmp_path / "run", **options)
    monkeypatch.setattr("vae_lightning.evaluation.evaluate.resolve_device", lambda _: DEVICE)
    with simulated_device():
        numbers = evaluate(tmp_path / "run", **options)
    torch.testing.assert_close(numbers, expected, rtol=1e-4, atol=1e-6)
