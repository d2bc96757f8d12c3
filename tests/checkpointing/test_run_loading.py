"""A run's folder of somebody else: asked for its numbers, it runs nothing but this package."""

import shutil
from pathlib import Path

import pytest
from conftest import ROOT, SMALL
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.cli.main import main
from vae_lightning.errors import UserError
from vae_lightning.runs.layout import CONFIG
from vae_lightning.training.train import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        options = [*SMALL, "~callbacks.figures", "logger=none", "trainer.max_epochs=1"]
        train(compose("train", [f"run_dir={folder}", *options]))
    return folder


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def change(run: Path, key: str, value: object) -> None:
    config = OmegaConf.load(run / CONFIG)
    OmegaConf.update(config, key, value, merge=False)
    OmegaConf.save(config, run / CONFIG)


@pytest.mark.parametrize("command", ["evaluate", "figures"])
@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("data", {"_target_": "os.system", "command": "touch owned"}, "names os.system, which is not trusted"),
        ("data.seed", {"_target_": "os.system", "command": "touch owned"}, "names os.system, which is not trusted"),
        ("data._target_", "vae_lightning.data.digits.torch.load", "which is not trusted"),
        ("data.seed", "${new_folder:owned}", "not a resolved configuration as a run writes it"),
        ("name", "${new_folder:owned}", "not a resolved configuration as a run writes it"),
        ("data", None, "data=None: must be a choice of its config group"),
    ],
)
def test_a_configuration_that_would_run_something_is_refused(command, key, value, told, run, monkeypatch):
    monkeypatch.chdir(run.parent)
    change(run, key, value)
    with pytest.raises(SystemExit) as ended:
        main([command, "run"])
    line = str(ended.value.code)
    assert line.startswith("error: ")
    assert "config.yaml: " in line
    assert told in line
    assert "\n" not in line
    assert not (run.parent / "owned").exists()


def test_data_of_ones_own_can_be_trusted(run):
    change(run, "data._target_", "own_data.Digits")
    with pytest.raises(UserError, match=r"own_data.Digits, which is not trusted. .*--trust PACKAGE"):
        load_run(run)


def test_data_that_is_not_that_of_the_training_is_told(run, caplog):
    load_run(run)
    assert not caplog.records
    change(run, "data.split_seed", 7)
    load_run(run)
    assert "data.split_seed=7, but the model was trained with 0" in caplog.text


def test_debug_may_stand_anywhere(run):
    change(run, "data", None)
    for typed in (["--debug", "evaluate", "run"], ["evaluate", "run", "--debug"]):
        with pytest.raises(UserError):
            main([word if word != "run" else str(run) for word in typed])
