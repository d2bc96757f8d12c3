"""Tests of the checkpoint callback."""

import pytest

from vae_lightning.callbacks import Checkpoint
from vae_lightning.callbacks.checkpoint import relocate_paths


@pytest.mark.parametrize(
    ("options", "key"),
    [
        (
            {"monitor": "val/objective"},
            "Checkpoint{'monitor': 'val/objective', 'mode': 'min', 'every_n_train_steps': 0, 'every_n_epochs': 1,"
            " 'train_time_interval': None}",
        ),
        (
            {"every_n_train_steps": 100, "mode": "max"},
            "Checkpoint{'monitor': None, 'mode': 'max', 'every_n_train_steps': 100, 'every_n_epochs': 0,"
            " 'train_time_interval': None}",
        ),
    ],
    ids=["best", "last"],
)
def test_state_key_is_that_of_existing_runs_whatever_the_class_is_called(options, key):
    """Lightning finds a callback's state by this key. It must not change, or old runs resume without the state."""
    assert Checkpoint(**options).state_key == key
    assert type("Renamed", (Checkpoint,), {})(**options).state_key == key


@pytest.mark.parametrize(
    ("monitor", "mode", "expected"),
    [
        (None, None, "min"),
        ("val/objective", None, "min"),
        ("val/mig", None, "max"),
        ("val/mig", "min", "min"),
        ("val/active_units", "max", "max"),
    ],
)
def test_mode_follows_from_the_monitor_unless_it_is_set(monitor, mode, expected):
    assert Checkpoint(monitor=monitor, mode=mode).mode == expected


def test_relocate_paths_replaces_the_directory_everywhere():
    state = {
        "best_k_models": {"/old/best.ckpt": 1.5},
        "last_model_path": "/old/last.ckpt",
        "dirpath": "/old",
    }
    assert relocate_paths(state, "/old", "/new") == {
        "best_k_models": {"/new/best.ckpt": 1.5},
        "last_model_path": "/new/last.ckpt",
        "dirpath": "/new",
    }
