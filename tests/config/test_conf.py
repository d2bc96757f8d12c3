"""Tests that every file in conf/ composes and is valid, and that every choice in it trains."""

import math
from pathlib import Path

import pytest
import torch
from conftest import OF_A_RUN, ROOT, SMALL
from hydra import compose, initialize_config_dir
from omegaconf import open_dict

import vae_lightning
from vae_lightning.config import validation
from vae_lightning.config.validation import validate_config
from vae_lightning.training.train import train

CONF = ROOT / "conf"
FILES = sorted(
    file.relative_to(CONF)
    for file in CONF.glob("*/**/*.yaml")
    if file.parent.name != "loading" and file.stem not in OF_A_RUN
)

QUICK = [
    "name=quick",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "callbacks=minimal",
    "trainer.enable_progress_bar=false",
]
FEW_BATCHES = [
    "+trainer.limit_train_batches=2",
    "+trainer.limit_val_batches=1",
    "+trainer.limit_test_batches=1",
    "data.eval_batch_size=16",
]


def choices(group: str) -> list[str]:
    """Return the choices of a config group, except those that need another run."""
    return sorted({file.stem for file in (CONF / group).glob("*.yaml")} - OF_A_RUN)


@pytest.mark.parametrize("file", FILES, ids=str)
def test_file_composes_and_its_values_are_valid(file: Path, monkeypatch):
    monkeypatch.setattr(validation, "is_installed", lambda package: True)  # wandb and mlflow are optional
    group, choice = file.parent.as_posix(), file.stem
    overrides = [f"{group}={choice}", "name=test", "run_dir=here"]
    if choice in ("arrays", "image_folder"):
        overrides.append("data.root=images")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides, return_hydra_config=True)
    with open_dict(cfg):
        assert cfg.pop("hydra").runtime.choices[group] == choice
    validate_config(cfg)


DECOMPOSITION = {"mutual_information", "total_correlation", "dimension_wise_kl"}
WITHOUT_RATE = ("ae", "wae", "swae", "rae", "aae")
LOGGED = {  # besides loss, objective and distortion, and where there is a rate, rate, nelbo and recon_kl_ratio
    "ae": set(),
    "swae": {"sliced_wasserstein", "lambda_sw"},
    "dfc_vae": {"beta", "perceptual"},
    "aae": {"generator_loss", "lambda_adv"},
    "rae": {"beta", "code_norm", "decoder_penalty"},
    "wae": {"mmd", "beta", "lambda_mmd"},
    "vae": {"beta"},
    "cvae": {"beta"},
    "beta_vae": {"beta"},
    "annealed_vae": {"gamma", "capacity"},
    "free_bits_vae": {"beta", "free_bits"},
    "geco_vae": {"beta", "constraint", "lambda"},
    "beta_tcvae": {"beta", *DECOMPOSITION},
    "factor_vae": {"beta", "gamma", "total_correlation"},
    "dip_vae": {"beta", "lambda_d", "lambda_od", "dip_diagonal", "dip_off_diagonal"},
    "info_vae": {"beta", "lambda_mmd", "mmd"},
    "iwae": {"beta"},
    "miwae": {"beta"},
    "piwae": {"beta"},
    "ciwae": {"beta"},
    "vamp_vae": {"beta"},
    "planar_vae": {"beta"},
    "vmf_vae": {"beta"},
    "poincare_vae": {"beta"},
    "gamma_vae": {"beta"},
    "hamiltonian_vae": {"beta"},
    "riemannian_hamiltonian_vae": {"beta"},
    "joint_vae": {"gamma", "capacity", "discrete_capacity", "continuous_rate", "discrete_rate"},
    "iaf_vae": {"beta"},
    "hvae": {"beta", "rate_group_1", "rate_group_2"},
    "vdvae": {"beta", "rate_group_1", "rate_group_2"},
    "hiwae": {"beta"},
    "vq_vae": {"beta", "commitment", "perplexity", "codes_in_use"},
    "fsq_vae": {"perplexity", "codes_in_use"},
    "lfq_vae": {"beta", "entropy_weight", "commitment", "entropy_penalty", "perplexity", "codes_in_use"},
    "rvq_vae": {"beta", "commitment", "perplexity", "codes_in_use"},
    "vae_gan": {"beta", "feature_distortion", "generator_loss"},
    "autoencoder_kl": {"beta", "perceptual", "generator_loss", "adaptive_weight"},
    "ada_gvae": {"beta"},
    "ada_ml_vae": {"beta"},
    "s2_beta_vae": {"beta", "factor_cross_entropy"},
    "s2_beta_tcvae": {"beta", "factor_cross_entropy", *DECOMPOSITION},
    "vade": {"beta", "cluster_rate"},
    "pixel_vae": {"beta", "bits_per_dim"},
    "tvae": {"beta", "triplet_weight", "triplet_loss", "triplet_accuracy"},
    "m2": {"beta", "label_rate", "cross_entropy", "accuracy"},
    "cvae_gan": {"beta", "feature_distortion", "feature_matching", "class_feature_matching", "classifier_loss"},
}


TRAINING_ONLY = {"train/discriminator_loss", "train/shared_latents"}
SPRITES = ["data=sprites", "data.image_shape=[1,16,16]", "data.factor_sizes=[3,2,2,4,4]", "data.val_size=20"]
PAIRS = [*SPRITES, "data.test_size=50", "data.pairs=1"]
FACTORS = [*SPRITES, "data.test_size=50", "model.num_labeled=20"]
SMALL_PIXEL_CNN = ["model.likelihood.width=4", "model.likelihood.layers=1"]
OPTIONS = {
    "ada_gvae": PAIRS,
    "ada_ml_vae": PAIRS,
    "s2_beta_vae": FACTORS,
    "s2_beta_tcvae": FACTORS,
    "factor_vae": ["model.discriminator_dims=[16]"],
    "pixel_vae": SMALL_PIXEL_CNN,
}


@pytest.mark.parametrize("model", choices("model"))
def test_model_trains_tests_and_loads(model, small, tmp_path):
    latent_dim = "model.latent_dim=20"  # a multiple of the code_dim of vq_vae, rvq_vae and lfq_vae
    cfg = small(f"model={model}", "callbacks.warmup.epochs=10", latent_dim, *OPTIONS.get(model, []))
    metrics = train(cfg)
    expected = {"loss", "objective", "distortion"} | LOGGED[model]
    if model not in WITHOUT_RATE:
        expected |= {"rate", "nelbo", "recon_kl_ratio"}
        for stage in ("train", "val", "test"):
            rate, distortion = metrics[f"{stage}/rate"], metrics[f"{stage}/distortion"]
            assert metrics[f"{stage}/nelbo"] == pytest.approx(distortion + rate)
            assert metrics[f"{stage}/recon_kl_ratio"] == pytest.approx(distortion / rate)
        weight = "capacity" if model in ("annealed_vae", "joint_vae") else "beta"
        if weight in LOGGED[model]:
            assert metrics[f"train/{weight}"] == pytest.approx(0.2 * cfg.model.get(weight, 1.0))  # two of ten epochs
    logged = {f"{stage}/{name}" for stage in ("train", "val", "test") for name in expected}
    assert set(metrics) - TRAINING_ONLY == logged
    assert all(math.isfinite(value) for value in metrics.values())

    loaded = vae_lightning.load(tmp_path / "run")
    assert loaded.has_rate == (model not in WITHOUT_RATE)
    y = torch.zeros(3, dtype=torch.int64)
    samples = loaded.sample(3, y if loaded.condition_dim else None)
    assert loaded.reconstruct(samples, y).shape == (3, *loaded.image_shape)


@pytest.mark.parametrize("group", ["model/likelihood", "model/optimizer"])
def test_every_choice_of_group_trains(group, small):
    options = {"ms_ssim": ["model.likelihood.window_size=5"], "autoregressive": SMALL_PIXEL_CNN}
    for choice in choices(group):
        assert train(small(f"{group}={choice}", *options.get(choice, []), run=choice))["test/distortion"] < 600


@pytest.mark.parametrize(
    ("prior", "model"),
    [
        ("vamp", "beta_vae"),
        ("class_conditional", "cvae"),
        ("vamp", "iwae"),
        ("gaussian_mixture", "vae"),
        ("autoregressive_flow", "vae"),
        ("coupling_flow", "cvae"),
        ("second_stage_vae", "cvae"),
    ],
)
def test_prior_trains(prior, model, small):
    metrics = train(small(f"model={model}", f"model/prior={prior}"))
    assert metrics["test/nelbo"] < 46
    assert metrics["test/rate"] > 0


POSTERIORS = {  # each with another objective
    "full_covariance": ["model=beta_vae"],
    "iaf": ["model=info_vae"],
    "planar": ["model=iwae"],
    "von_mises_fisher": ["model=iwae", "model/prior=uniform_sphere"],
    "poincare": ["model=info_vae", "model/prior=wrapped_normal"],
    "gamma": ["model=iwae", "model/prior=gamma"],
    "gumbel_softmax": ["model=iwae", "model/prior=uniform_categories", "model.posterior.categories=[2]"],
}


@pytest.mark.parametrize("posterior", choices("model/posterior"))
def test_posterior_trains(posterior, small):
    metrics = train(small(f"model/posterior={posterior}", *POSTERIORS[posterior]))
    assert metrics["test/nelbo"] < 46
    assert metrics["test/rate"] > 0


@pytest.mark.parametrize("callbacks", choices("callbacks"))
def test_callbacks_save_best_and_last_checkpoint(callbacks, configuration, tmp_path):
    small = [override for override in SMALL if "progress_bar" not in override]
    train(configuration(*small, f"callbacks={callbacks}"))
    for name in ("best", "last"):
        assert (tmp_path / "run" / "checkpoints" / f"{name}.ckpt").is_file()


@pytest.mark.parametrize("network", choices("model/network"))
def test_network_trains(network, configuration):
    model = "model=vdvae" if network == "ladder" else "model=vae"
    metrics = train(
        configuration(model, f"model/network={network}", "data.image_shape=[1,64,64]", *QUICK, *FEW_BATCHES)
    )
    assert metrics["test/distortion"] > 0


@pytest.mark.parametrize("experiment", choices("experiment"))
def test_experiment_trains(experiment, configuration, mnist_root, celeba, dsprites_root):
    """Train on a few images, in files of the same format as the real dataset."""
    if "celeba" in experiment:
        attributes = "data.attributes=[Bald,Eyeglasses,Male,Smiling]"
        data = [f"data.root={celeba()}", "data.batch_size=16", attributes, *FEW_BATCHES]
    elif experiment.startswith("dsprites"):
        sizes = ["data.batch_size=16", "data.val_size=20", "data.test_size=50"]
        data = [f"data.root={dsprites_root}", *sizes, *FEW_BATCHES]
    elif "sprites" in experiment:
        data = ["data.factor_sizes=[3,2,4,4,4]", "data.val_size=20", "data.test_size=50", *FEW_BATCHES]
    else:
        data = [f"data.root={mnist_root}"]
        if experiment == "sweep_beta_mnist":  # the only one with a validation set
            data.append("data.val_size=10")
    metrics = train(configuration(f"experiment={experiment}", *data, *QUICK))
    assert metrics["test/distortion"] > 0
    if experiment.startswith("mnist"):
        assert metrics["train/beta"] == pytest.approx(0.1)  # after the first of 10 epochs of warm-up


def test_kingma_welling_learning_rate_depends_on_latent_dim(configuration):
    for latent_dim, lr in {2: 0.02, 3: 0.02, 5: 0.01, 10: 0.02, 20: 0.02, 200: 0.01}.items():
        cfg = configuration("experiment=kingma_welling_vae", f"model.latent_dim={latent_dim}")
        assert cfg.model.optimizer.lr == lr
        validate_config(cfg)
    for binarize in ("none", "fixed"):
        validate_config(configuration("experiment=kingma_welling_ae", f"data.binarize={binarize}"))
