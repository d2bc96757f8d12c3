"""Tests that the defaults of callbacks in Python equal those of the files in conf/callbacks."""

import inspect
from typing import Any

import pytest
from conftest import ROOT
from hydra import compose, initialize_config_dir
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason
from omegaconf import OmegaConf

import vae_lightning.callbacks

CALLBACKS = {
    "figures": "Figures",
    "metrics": "RepresentationMetrics",
    "collapse": "CollapseMonitor",
    "histograms": "PosteriorHistograms",
    "projector": "EmbeddingProjector",
    "warmup": "BetaWarmup",
    "progress_bar": "ProgressBar",
}
DEEP = {"weight_ema": "WeightEMA", "gradient_skip": "GradientSkip"}  # of conf/callbacks/deep.yaml
STOPPING = {"early_stopping": "EarlyStopping"}  # of conf/callbacks/early_stopping/default.yaml
LIGHTNING_DEFAULTS = {"best", "last"}  # their arguments and defaults are those of Lightning's class
REQUIRED = {"folder": "here/figures", "title": "a run"}  # arguments without a default


def callback_configs(choice: str) -> dict[str, dict[str, Any]]:
    """Return the resolved configuration of each callback in conf/callbacks/<choice>.yaml, and of early stopping."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose(
            "train", [f"callbacks={choice}", "callbacks/early_stopping=default", "run_dir=here", "name='a run'"]
        )
    return OmegaConf.to_container(config.callbacks, resolve=True)


@pytest.mark.parametrize(("name", "cls"), (CALLBACKS | DEEP | STOPPING).items())
def test_default_arguments_equal_the_yaml_file(name, cls):
    config = callback_configs("deep")[name]
    assert config.pop("_target_") == f"vae_lightning.callbacks.{cls}"
    parameters = dict(inspect.signature(getattr(vae_lightning.callbacks, cls)).parameters)
    parameters.pop("options", None)  # those of Lightning's class
    required = {key for key, parameter in parameters.items() if parameter.default is inspect.Parameter.empty}
    assert required == REQUIRED.keys() & parameters.keys()
    getattr(vae_lightning.callbacks, cls)(**{key: REQUIRED[key] for key in required})
    defaults = {key: REQUIRED.get(key, parameter.default) for key, parameter in parameters.items()}
    assert {key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()} == config


def test_every_callback_of_the_yaml_file_is_covered():
    assert callback_configs("default").keys() == CALLBACKS.keys() | STOPPING.keys() | LIGHTNING_DEFAULTS
    assert callback_configs("deep").keys() == callback_configs("default").keys() | DEEP.keys()


def test_patience_may_change_when_a_run_resumes():
    """With a larger one, a run that has stopped is no longer said to have."""
    stopped = vae_lightning.callbacks.EarlyStopping(patience=2)
    stopped.wait_count, stopped.stopping_reason = 2, EarlyStoppingReason.PATIENCE_EXHAUSTED
    for patience, reason in ((50, EarlyStoppingReason.NOT_STOPPED), (2, EarlyStoppingReason.PATIENCE_EXHAUSTED)):
        resumed = vae_lightning.callbacks.EarlyStopping(patience=patience)
        resumed.load_state_dict(stopped.state_dict())
        assert (resumed.patience, resumed.stopping_reason) == (patience, reason)
