"""Every file in conf/ composes; every model, every part of a model and every experiment trains."""

import math
from pathlib import Path

import pytest
import torch
from conftest import ROOT, SMALL
from hydra import compose, initialize_config_dir

import vae_lightning
from vae_lightning.configuration import check
from vae_lightning.train import train

CONF = ROOT / "conf"
FILES = sorted(file.relative_to(CONF) for file in CONF.glob("*/**/*.yaml") if file.parent.name != "loading")

QUICK = [
    "name=quick",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "callbacks=minimal",
    "trainer.enable_progress_bar=false",
]
FEW = ["+trainer.limit_train_batches=2", "+trainer.limit_val_batches=1", "+trainer.limit_test_batches=1"]
FEW += ["data.eval_batch_size=16"]


def choices(group: str) -> list[str]:
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_composes_and_its_values_are_allowed(file: Path):
    group, choice = file.parent.as_posix(), file.stem
    overrides = [f"{group}={choice}", "name=test", "run_dir=here"]
    if choice == "image_folder":
        overrides.append("data.root=images")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("train", overrides, return_hydra_config=True).hydra.runtime.choices[group] == choice
        check(compose("train", overrides))


TC = {"mutual_information", "total_correlation", "dimension_wise_kl"}
LOGGED = {  # besides loss, objective, distortion; and but for the first two, rate, nelbo, recon_kl_ratio
    "ae": set(),
    "wae": {"mmd", "beta", "lambda_mmd"},
    "vae": {"beta"},
    "cvae": {"beta"},
    "beta_vae": {"beta"},
    "annealed_vae": {"gamma", "capacity"},
    "beta_tcvae": {"beta", *TC},
    "factor_vae": {"beta", "gamma", "total_correlation"},
    "dip_vae": {"beta", "dip_diagonal", "dip_off_diagonal"},
    "info_vae": {"beta", "lambda_mmd", "mmd"},
    "iwae": {"beta"},
    "vamp_vae": {"beta"},
    "hvae": {"beta", "rate_group_1", "rate_group_2"},
    "vq_vae": {"beta", "commitment", "perplexity"},
    "vae_gan": {"beta", "feature_distortion", "generator_loss"},
}


@pytest.mark.parametrize("model", choices("model"))
def test_every_model_trains_is_tested_and_comes_back(model, small, tmp_path):
    latent = "model.latent_dim=4"  # a multiple of vq_vae's code_dim
    metrics = train(small(f"model={model}", "callbacks.warmup.epochs=2", latent))
    expected = {"loss", "objective", "distortion"} | LOGGED[model]
    if model not in ("ae", "wae"):
        expected |= {"rate", "nelbo", "recon_kl_ratio"}
        for stage in ("train", "val", "test"):
            rate, distortion = metrics[f"{stage}/rate"], metrics[f"{stage}/distortion"]
            assert metrics[f"{stage}/nelbo"] == pytest.approx(distortion + rate)
            assert metrics[f"{stage}/recon_kl_ratio"] == pytest.approx(distortion / rate)
    logged = {f"{stage}/{name}" for stage in ("train", "val", "test") for name in expected}
    assert set(metrics) - {"train/discriminator_loss"} == logged
    assert all(math.isfinite(value) for value in metrics.values())

    loaded = vae_lightning.load(tmp_path / "run")
    y = torch.zeros(3, dtype=torch.int64)
    assert loaded.reconstruct(loaded.sample(3, y), y).shape == (3, 1, 8, 8)


@pytest.mark.parametrize("model", [m for m in choices("model") if m not in ("ae", "wae", "vq_vae")])
def test_the_warm_up_reaches_every_model(model, small):
    """After one of ten epochs."""
    metrics = train(small(f"model={model}", "callbacks.warmup.epochs=10", "trainer.max_epochs=1"))
    weight = "capacity" if model == "annealed_vae" else "beta"
    full = small(f"model={model}").model.get(weight, 1.0)
    assert metrics[f"train/{weight}"] == pytest.approx(0.1 * full)


@pytest.mark.parametrize("group", ["model/likelihood", "model/optimizer", "logger"])
def test_every_part_trains(group, small):
    for choice in choices(group):
        assert train(small(f"{group}={choice}", run=choice))["test/distortion"] < 600


@pytest.mark.parametrize(("prior", "model"), [("vamp", "beta_vae"), ("class_conditional", "cvae"), ("vamp", "iwae")])
def test_every_prior_trains(prior, model, small):
    metrics = train(small(f"model={model}", f"model/prior={prior}"))
    assert metrics["test/nelbo"] < 45
    assert metrics["test/rate"] > 0


@pytest.mark.parametrize("callbacks", choices("callbacks"))
def test_every_choice_of_callbacks_leaves_checkpoints(callbacks, configuration, tmp_path):
    small = [override for override in SMALL if "progress_bar" not in override]
    train(configuration(*small, f"callbacks={callbacks}"))
    for name in ("best", "last"):
        assert (tmp_path / "run" / "checkpoints" / f"{name}.ckpt").is_file()


@pytest.mark.parametrize("network", choices("model/network"))
def test_every_network_trains(network, configuration):
    metrics = train(configuration(f"model/network={network}", "data.image_shape=[1,64,64]", *QUICK, *FEW))
    assert metrics["test/distortion"] > 0


@pytest.mark.parametrize("experiment", choices("experiment"))
def test_every_experiment_trains(experiment, configuration, mnist_root, celeba, official):
    """On a few images in the files of its data set."""
    if "celeba" in experiment:
        four = ["data.attributes=[Bald,Eyeglasses,Male,Smiling]"]
        data = [f"data.root={celeba()}", "data.batch_size=16", *four, *FEW]
    elif experiment.startswith("dsprites"):
        data = [f"data.root={official}", "data.batch_size=16", "data.val_size=20", "data.test_size=50", *FEW]
    elif "sprites" in experiment:
        data = ["data.factor_sizes=[3,2,4,4,4]", "data.val_size=20", "data.test_size=50", *FEW]
    else:
        data = [f"data.root={mnist_root}"]
        if experiment == "sweep_beta_mnist":  # the one that keeps a validation set
            data.append("data.val_size=10")
    metrics = train(configuration(f"experiment={experiment}", *data, *QUICK))
    assert metrics["test/distortion"] > 0
    if experiment.startswith("mnist"):
        assert metrics["train/beta"] == pytest.approx(0.1)  # the first of 10 epochs of warm-up


def test_the_step_size_of_kingma_and_welling_goes_by_the_latent_dimension(configuration):
    for latent_dim, lr in {2: 0.02, 3: 0.02, 5: 0.01, 10: 0.02, 20: 0.02, 200: 0.01}.items():
        cfg = configuration("experiment=kingma_welling_vae", f"model.latent_dim={latent_dim}")
        assert cfg.model.optimizer.lr == lr
        check(cfg)
    for binarize in ("none", "fixed"):
        check(configuration("experiment=kingma_welling_ae", f"data.binarize={binarize}"))
