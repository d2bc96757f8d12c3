"""Tests of the checkpoint callback."""

from datetime import timedelta

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from vae_lightning.callbacks import Checkpoint
from vae_lightning.callbacks.checkpoint import relocate_paths

OPTIONS = [
    {},
    {"monitor": "val/objective"},
    {"monitor": "val/rate", "mode": "max", "every_n_epochs": 3},
    {"every_n_train_steps": 100, "save_on_train_epoch_end": True},
    {"train_time_interval": timedelta(minutes=5)},
]


def test_state_key_is_the_one_in_existing_checkpoints(tmp_path):
    checkpoint = Checkpoint(dirpath=tmp_path, filename="best", enable_version_counter=False, monitor="val/objective")
    assert checkpoint.state_key == (
        "Checkpoint{'monitor': 'val/objective', 'mode': 'min', 'every_n_train_steps': 0, 'every_n_epochs': 1,"
        " 'train_time_interval': None}"
    )


@pytest.mark.parametrize("options", OPTIONS)
def test_state_key_is_lightnings(options):
    assert Checkpoint(**options).state_key == ModelCheckpoint.state_key.fget(Checkpoint(**options))


def test_state_key_does_not_depend_on_the_class_name():
    renamed = type("Renamed", (Checkpoint,), {})
    assert renamed(monitor="val/loss").state_key == Checkpoint(monitor="val/loss").state_key


def test_relocate_paths_replaces_the_directory_everywhere():
    state = {"best_k_models": {"/old/best.ckpt": 1.5}, "last_model_path": "/old/last.ckpt", "dirpath": "/old", "mode": 1}
    assert relocate_paths(state, "/old", "/new") == {
        "best_k_models": {"/new/best.ckpt": 1.5},
        "last_model_path": "/new/last.ckpt",
        "dirpath": "/new",
        "mode": 1,
    }
