"""Tests of training: the files and metrics of a run, and reproducibility."""

import json
import math
from pathlib import Path
from typing import ClassVar

import lightning as L
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import vae_lightning
from vae_lightning.config.hyperparameters import hyperparameters
from vae_lightning.errors import UserError
from vae_lightning.loggers import TensorBoard
from vae_lightning.regularizers import TotalCorrelation, gaussian_kl
from vae_lightning.training.train import train


def test_run_writes_the_documented_files(small, tmp_path):
    metrics = train(small("model=cvae", "callbacks.figures.every_n_epochs=5"))
    run = tmp_path / "run"
    files = {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()}
    events = {file for file in files if file.startswith("events.out.tfevents")}
    assert events
    assert files - events == {
        ".hydra/config.yaml",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "figures/aggregate_posterior.png",
        "figures/class_swap.png",
        "figures/class_traversals.png",
        "figures/extreme_reconstructions.png",
        "figures/interpolations.png",
        "figures/latent_space.png",
        "figures/latent_space_tsne.png",
        "figures/rate_history.png",
        "figures/nearest_images.png",
        "figures/rate_per_latent.png",
        "figures/reconstructions.png",
        "figures/samples.png",
        "figures/training_curves.png",
        "figures/traversals.png",
        "figures/traversals_animation.gif",
        "metrics.json",
        "projector/metadata.tsv",
        "projector/sprite.png",
        "projector/tensors.tsv",
        "projector_config.pbtxt",
    }
    assert json.loads((run / "metrics.json").read_text()) == metrics
    config = OmegaConf.load(run / ".hydra/config.yaml")
    assert config.model.image_shape == [1, 8, 8]
    assert "${" not in (run / ".hydra/config.yaml").read_text()


def test_tensorboard_has_curves_figures_and_hyperparameters(small, tmp_path):
    metrics = train(
        small("model=beta_vae", "model.beta=2", "callbacks.warmup.epochs=2", "callbacks.figures.every_n_epochs=5")
    )
    scalars, images, hparams = {}, set(), set()
    for file in (tmp_path / "run").glob("events.out.tfevents*"):
        events = EventAccumulator(str(file)).Reload()
        scalars |= {tag: [event.value for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
        images |= set(events.Tags()["images"])
        hparams |= set(events.summary_metadata)
    names = ("loss", "objective", "distortion", "rate", "nelbo", "recon_kl_ratio", "beta")
    assert {f"{stage}/{name}" for stage in ("train", "val", "test") for name in names} <= scalars.keys()
    assert scalars["train/beta"] == [1.0, 2.0]
    assert scalars["val/nelbo"][-1] == pytest.approx(metrics["val/nelbo"])
    assert images >= {f"figures/{name}" for name in ("reconstructions", "samples", "traversals", "training_curves")}
    assert {"_hparams_/experiment", "_hparams_/session_start_info"} <= hparams


def test_hparams_tab_shows_the_first_columns_first(tmp_path):
    """It sorts hyperparameters that are marked as different before the others."""
    TensorBoard(run_dir=str(tmp_path)).log_result({"a": 1, "beta": 4.0, "z": 0}, {"test/nelbo": 1.0}, {"beta", "z"})
    (file,) = tmp_path.glob("events.out.tfevents*")
    metadata = EventAccumulator(str(file)).Reload().summary_metadata["_hparams_/experiment"]
    infos = HParamsPluginData.FromString(metadata.plugin_data.content).experiment.hparam_infos
    assert {info.name: info.differs for info in infos} == {"a": False, "beta": True, "z": True}


def test_hyperparameters_of_a_configuration(small):
    config = OmegaConf.to_container(small("model=beta_vae", "model.beta=2"), resolve=True)
    overridden = ["model", "model.beta", "callbacks.warmup.epochs", "trainer.precision", "run_dir", "data.batch_size"]
    flat = hyperparameters(config, overridden)
    assert flat == {
        "trainer.precision": "32-true",
        "model": "BetaVAE",
        "latent_dim": 3,
        "optimizer.fused": True,
        "beta": 2,
        "conditional": False,
        "network": "MLP",
        "network.hidden_dims": "[16]",
        "network.activation": "Tanh",
        "likelihood": "Bernoulli",
        "optimizer": "Adam",
        "optimizer.lr": 1e-3,
        "data": "DigitsDataModule",
        "batch_size": 256,
        "warmup": "BetaWarmup",
        "warmup.epochs": 0,
        "warmup.steps": "None",
        "warmup.schedule": "linear",
        "prior": "StandardNormal",
        "init_std": "None",
        "warmup.cycles": 4,
        "warmup.ramp": 0.5,
        "max_epochs": 2,
        "seed": 0,
    }


def test_metrics_are_reproducible_and_depend_on_the_seed(small):
    first, again, other = (train(small(f"seed={seed}", run=f"{n}")) for n, seed in enumerate((1, 1, 2)))
    assert first == again
    assert first["test/nelbo"] != other["test/nelbo"]


def test_validation_and_figures_do_not_affect_training(small):
    often = train(small("callbacks.figures.every_n_epochs=1", run="often"))
    seldom = train(small("~callbacks.figures", "+trainer.check_val_every_n_epoch=2", run="seldom"))
    assert often == seldom


def test_double_precision_gives_similar_metrics_to_single(small):
    single = train(small("trainer.max_epochs=1", run="single"))
    double = train(small("trainer.max_epochs=1", "trainer.precision=64-true", run="double"))
    assert double["train/distortion"] == pytest.approx(single["train/distortion"], rel=0.05)  # the noise differs


class AssertNoGradients(L.Callback):
    """Asserts that no gradients are left from the previous step."""

    steps = 0

    def on_before_backward(self, trainer, pl_module, loss):
        assert all(p.grad is None for p in pl_module.parameters())
        AssertNoGradients.steps += 1


def test_gradients_are_cleared_before_each_step(small):
    train(small("~callbacks.figures", "+callbacks.watch._target_=test_train.AssertNoGradients", "trainer.max_epochs=1"))
    assert AssertNoGradients.steps == 5


class RecordLabels(L.Callback):
    """Records the labels of the first batch of each epoch."""

    labels: ClassVar[list[list[int]]] = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            self.labels.append(batch.y.tolist())


def test_training_images_are_shuffled_differently_in_each_epoch(small):
    train(small("+callbacks.record._target_=test_train.RecordLabels"))
    assert len(RecordLabels.labels) == 2
    assert RecordLabels.labels[0] != RecordLabels.labels[1]


def test_best_checkpoint_is_used_for_testing(small, tmp_path):
    """The monitored metric, β, rises, so the first epoch is the best."""
    metrics = train(small("monitor=train/beta", "callbacks.warmup.epochs=10"))
    best = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)
    assert best["epoch"] == 0
    assert metrics["train/beta"] == pytest.approx(0.2)
    assert metrics["test/beta"] == pytest.approx(0.1)

    model = vae_lightning.load(tmp_path / "run")
    data = instantiate(small().data)
    data.setup()
    q = model.encode(data.splits["test"].x)
    assert metrics["test/rate"] == pytest.approx(gaussian_kl(q.mu, q.logvar).sum(1).mean().item())


def test_training_reduces_the_test_loss(small):
    options = ["model.network.hidden_dims=[64]", "data.batch_size=32", "trainer.max_epochs=8"]
    before = train(small(*options, "trainer.max_epochs=1", run="before"))["test/nelbo"]
    after = train(small(*options, run="after"))["test/nelbo"]
    assert after < before - 5


def test_run_without_a_validation_set_can_monitor_a_training_metric(small):
    metrics = train(small("data.val_size=0", "monitor=train/objective"))
    assert "val/nelbo" not in metrics
    assert "test/nelbo" in metrics


def test_unknown_monitor_raises(small):
    with pytest.raises(UserError, match="val/nope"):
        train(small("monitor=val/nope"))
    with pytest.raises(UserError, match=r"^monitor=train/knn: not logged\. Use train/ followed by one of "):
        train(small("monitor=train/knn", "callbacks.metrics.names=[knn]"))  # of validation images


def test_metrics_do_not_depend_on_the_eval_batch_size(small):
    """The 360 test images form batches of 7 with a last batch of 3, or one batch. The autoencoder has no noise."""
    metrics = [
        train(small("model=ae", f"data.eval_batch_size={size}", run=str(size)))["test/distortion"] for size in (7, 360)
    ]
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-5)


def read_curve(run: Path, name: str) -> dict[int, float]:
    """Return a curve of TensorBoard as a mapping from step to value."""
    events = EventAccumulator(str(run))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(name)}


@pytest.mark.parametrize("model", ["vae", "factor_vae"])
def test_curves_are_logged_by_number_of_training_images(model, small, tmp_path):
    """FactorVAE has two optimizers, and Lightning counts the steps of both."""
    metrics = train(small(f"model={model}"))
    for stage in ("train", "val"):
        curve = read_curve(tmp_path / "run", f"{stage}/nelbo")
        assert list(curve) == [1257, 2 * 1257]
        assert curve[2 * 1257] == pytest.approx(metrics[f"{stage}/nelbo"])


def test_regularizer_receives_the_number_of_training_images(small, monkeypatch):
    sizes = []
    forward = TotalCorrelation.forward

    def recorded_forward(self, out):
        sizes.append(self.n)
        return forward(self, out)

    monkeypatch.setattr(TotalCorrelation, "forward", recorded_forward)
    train(small("model=beta_tcvae", "trainer.max_epochs=1"))
    assert set(sizes) == {1257}  # in training, validation and test alike


def test_bits_per_dim_is_logged_only_for_discrete_likelihoods(small):
    metrics = train(small("model/likelihood=discretized_logistic", "trainer.max_epochs=1"))
    for stage in ("train", "val", "test"):
        assert metrics[f"{stage}/bits_per_dim"] == pytest.approx(metrics[f"{stage}/nelbo"] / 64 / math.log(2))
    assert not any("bits_per_dim" in name for name in train(small("model/likelihood=gaussian", run="gaussian")))
