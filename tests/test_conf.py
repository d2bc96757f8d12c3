"""Every file in conf/ composes; every model, every part of a model and every experiment trains."""

from pathlib import Path

import pytest
from conftest import ROOT, SMALL
from hydra import compose, initialize_config_dir

from vae_lightning.configuration import check
from vae_lightning.train import train

CONF = ROOT / "conf"
FILES = sorted(file.relative_to(CONF) for file in CONF.glob("*/**/*.yaml"))

QUICK = [
    "name=quick",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "callbacks=minimal",
    "trainer.enable_progress_bar=false",
]


def choices(group: str) -> list[str]:
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_file_composes_and_its_values_are_allowed(file: Path):
    group, choice = file.parent.as_posix(), file.stem
    overrides = [f"{group}={choice}", "name=test", "run_dir=here"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("train", overrides, return_hydra_config=True).hydra.runtime.choices[group] == choice
        check(compose("train", overrides))


@pytest.mark.parametrize("model", choices("model"))
def test_every_model_trains_and_is_tested(model, small):
    metrics = train(small(f"model={model}", "callbacks.warmup.epochs=2"))
    expected = {"loss", "objective", "distortion"}
    if model != "ae":
        expected |= {"rate", "nelbo", "recon_kl_ratio", "beta"}
        for stage in ("train", "val", "test"):
            rate, distortion = metrics[f"{stage}/rate"], metrics[f"{stage}/distortion"]
            assert metrics[f"{stage}/nelbo"] == pytest.approx(distortion + rate)
            assert metrics[f"{stage}/recon_kl_ratio"] == pytest.approx(distortion / rate)
            assert metrics[f"{stage}/beta"] == (4.0 if model == "beta_vae" else 1.0)
    assert set(metrics) == {f"{stage}/{name}" for stage in ("train", "val", "test") for name in expected}


@pytest.mark.parametrize("group", ["model/likelihood", "model/optimizer", "logger"])
def test_every_part_trains(group, small):
    for choice in choices(group):
        assert train(small(f"{group}={choice}", run=choice))["test/distortion"] < 600


@pytest.mark.parametrize("callbacks", choices("callbacks"))
def test_every_choice_of_callbacks_leaves_checkpoints(callbacks, configuration, tmp_path):
    small = [override for override in SMALL if "progress_bar" not in override]
    train(configuration(*small, f"callbacks={callbacks}"))
    for name in ("best", "last"):
        assert (tmp_path / "run" / "checkpoints" / f"{name}.ckpt").is_file()


@pytest.mark.parametrize("network", choices("model/network"))
def test_every_network_trains(network, configuration):
    metrics = train(configuration(f"model/network={network}", *QUICK))
    assert metrics["test/distortion"] > 0


@pytest.mark.parametrize("experiment", choices("experiment"))
def test_every_experiment_trains(experiment, configuration, mnist_root):
    metrics = train(configuration(f"experiment={experiment}", f"data.root={mnist_root}", *QUICK))
    assert metrics["train/beta"] == pytest.approx(0.1)  # the first of 10 epochs of warm-up
