"""Tests of how paths and commands are shown."""

from pathlib import Path

from omegaconf import OmegaConf

from vae_lightning.io.shell import display_path, train_command


def test_display_path_is_relative_to_the_current_directory_and_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert display_path(tmp_path / "runs" / "a b") == "'runs/a b'"
    assert display_path(Path("runs")) == "runs"
    assert display_path(tmp_path.parent) == str(tmp_path.parent)


def test_display_path_is_relative_to_the_directory_of_the_shell(tmp_path, monkeypatch):
    """With hydra.job.chdir=true, Hydra changes the directory of the process."""
    config = {"hydra": {"runtime": {"cwd": str(tmp_path)}}}
    monkeypatch.setattr("vae_lightning.io.shell.HydraConfig.initialized", lambda: True)
    monkeypatch.setattr("vae_lightning.io.shell.HydraConfig.get", lambda: OmegaConf.create(config).hydra)
    monkeypatch.chdir("/")
    assert display_path(tmp_path / "runs") == "runs"


def test_train_command_is_the_one_that_was_called(monkeypatch):
    monkeypatch.setattr("sys.argv", ["somewhere/train.py"])
    assert train_command() == "python train.py"
    monkeypatch.setattr("sys.argv", ["bin/vae-lightning"])
    assert train_command() == "vae-lightning train"
