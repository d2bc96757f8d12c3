"""Tests of the averaged weights: their values, and where they are used."""

import pytest
import torch
from hydra.utils import instantiate

import vae_lightning
from vae_lightning.callbacks import WeightEMA
from vae_lightning.training.train import train

DEEP = ["callbacks=deep", "~callbacks.figures", "~callbacks.projector"]


def test_average_after_each_step_follows_the_recursion():
    """The decay after n steps is min(0.5, (1 + n) / (10 + n)): 2/11, 3/12, 4/13, ... up to 0.5."""
    callback, average, expected = WeightEMA(decay=0.5), torch.zeros(2), 0.0
    flags = torch.tensor([False])
    for n in range(1, 20):
        callback.update([average], [torch.full((2,), float(n))], torch.tensor(n))
        decay = min(0.5, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * n
        assert average.tolist() == pytest.approx([expected] * 2)
    callback.update([flags], [torch.tensor([True])], torch.tensor(1))
    assert flags.item()


def test_checkpoints_and_the_test_use_the_average(small, tmp_path):
    """An autoencoder has no noise, so its test distortion can be computed again."""
    cfg = small(*DEEP, "model=ae")
    metrics = train(cfg)
    checkpoint = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)
    model = vae_lightning.load(tmp_path / "run")
    weights = model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in checkpoint["state_dict"].items())
    data = instantiate(cfg.data, _convert_="all")
    data.setup()
    x = data.splits["test"].x
    assert metrics["test/distortion"] == pytest.approx(model.objective(model(x))["distortion"].item(), rel=1e-5)
    model.load_state_dict(checkpoint["current_model_state"])
    assert metrics["test/distortion"] != pytest.approx(model.objective(model(x))["distortion"].item(), rel=1e-3)
