"""Tests of W&B in offline mode, of MLflow with a local file, and of several loggers at once."""

import json
import sys
from pathlib import Path
from types import ModuleType

import lightning as L
import pytest
from conftest import ROOT
from wandb_files import items, read_records

from vae_lightning.callbacks.figures import PERIODIC
from vae_lightning.config import validation
from vae_lightning.config.comparison import config_identity
from vae_lightning.config.validation import validate_config
from vae_lightning.errors import UserError
from vae_lightning.loggers import begin_logging
from vae_lightning.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own use of SQLAlchemy
FIGURES = {*PERIODIC} - {"code_usage"}
OFFLINE = ["logger.wandb.offline=true"]


@pytest.fixture(autouse=True)
def _own_directory_and_environment(tmp_path, monkeypatch):
    """MLflow writes to the current directory, and keeps a file open by its name; both set environment variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "WARNING")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")


@pytest.fixture
def wandb() -> ModuleType:
    return pytest.importorskip("wandb")


@pytest.fixture
def client(tmp_path):
    """Return a client of the file that runs write to."""
    return pytest.importorskip("mlflow").MlflowClient(f"sqlite:///{tmp_path / 'runs.db'}")


def wandb_files(run: Path) -> list[Path]:
    return sorted((run / "wandb").glob("offline-run-*/*.wandb"))


class FailInSecondEpoch(L.Callback):
    """Stands in for a process that is killed."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            raise RuntimeError("killed")


FAILS = "+callbacks.fail._target_=test_trackers.FailInSecondEpoch"


def test_wandb_receives_metrics_hyperparameters_and_figures(wandb, small, tmp_path):
    metrics = train(small("logger=wandb", "callbacks.figures.final=[]", *OFFLINE))
    assert wandb.run is None  # closed
    (file,) = wandb_files(tmp_path / "run")
    records = read_records(file)
    history = items(records, "history")
    curve = {row["trainer/global_step"]: row["val/nelbo"] for row in history if "val/nelbo" in row}
    assert list(curve) == [1257, 2 * 1257]
    assert curve[2 * 1257] == pytest.approx(metrics["val/nelbo"])
    assert [row["test/nelbo"] for row in history if "test/nelbo" in row] == [pytest.approx(metrics["test/nelbo"])]
    assert {"latent_dim": 3, "network": "MLP"}.items() <= {
        k: v for c in items(records, "config") for k, v in c.items()
    }.items()
    keys = {key for row in history for key in row}
    shown = {key.removesuffix(".filenames") for key in keys if key.endswith(".filenames")}
    assert shown == {f"figures/{name}" for name in FIGURES}
    copies = list((file.parent / "files/media/images").rglob("samples_*.png"))
    assert [copy.read_bytes() for copy in copies] == [(tmp_path / "run/figures/samples.png").read_bytes()]


def test_mlflow_receives_metrics_hyperparameters_and_figures(client, small):
    metrics = train(small("logger=mlflow", "callbacks.figures.final=[traversals_animation]"))
    (run,) = client.search_runs([client.get_experiment_by_name("vae-lightning").experiment_id])
    assert run.info.run_name == "small"
    assert run.info.status == "FINISHED"
    assert run.data.metrics == pytest.approx({**metrics, "active_latents": run.data.metrics["active_latents"]})
    assert [point.step for point in client.get_metric_history(run.info.run_id, "val/nelbo")] == [1257, 2 * 1257]
    assert run.data.params["latent_dim"] == "3"
    images = client.list_artifacts(run.info.run_id, "images")
    assert {Path(image.path).name.partition("+")[0] for image in images if image.path.endswith(".png")} == FIGURES
    assert [file.path for file in client.list_artifacts(run.info.run_id, "figures")] == [
        "figures/traversals_animation.gif"
    ]


def test_killed_run_resumes_under_the_same_wandb_id(wandb, small, tmp_path):
    with pytest.raises(RuntimeError, match="killed"):
        train(small("logger=wandb", *OFFLINE, FAILS))
    train(small("logger=none", "trainer.max_epochs=2", f"resume={tmp_path / 'run'}"))  # an id is kept meanwhile
    train(small("logger=wandb", *OFFLINE, "trainer.max_epochs=3", f"resume={tmp_path / 'run'}"))
    first, second = wandb_files(tmp_path / "run")
    assert first.name == second.name
    last = read_records(second)
    assert [row["trainer/global_step"] for row in items(last, "history") if "val/nelbo" in row] == [3 * 1257]
    train(small("logger=wandb", *OFFLINE, "trainer.max_epochs=1", run="other"))
    assert wandb_files(tmp_path / "other")[0].name != first.name


def test_killed_run_resumes_under_the_same_mlflow_id(client, small, tmp_path):
    with pytest.raises(RuntimeError, match="killed"):
        train(small("logger=mlflow", FAILS))
    experiment = client.get_experiment_by_name("vae-lightning").experiment_id
    assert client.search_runs([experiment])[0].info.status == "FAILED"
    train(small("logger=mlflow", "trainer.max_epochs=3", f"resume={tmp_path / 'run'}"))
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FINISHED"
    steps = [point.step for point in client.get_metric_history(run.info.run_id, "val/nelbo")]
    assert steps == [1257, 2 * 1257, 3 * 1257]
    assert run.data.params["max_epochs"] == "2"  # cannot be changed
    assert run.data.tags["changed.max_epochs"] == "3"


def test_several_loggers_receive_the_same_metrics(client, wandb, small, tmp_path):
    train(small("logger=[tensorboard,csv,wandb,mlflow]", *OFFLINE, "~callbacks.figures", "trainer.max_epochs=1"))
    assert list((tmp_path / "run").glob("events*"))
    assert (tmp_path / "run/metrics.csv").is_file()
    assert json.loads((tmp_path / "run/.hydra/loggers.json").read_text()).keys() == {"WandbLogger", "MLFlowLogger"}


def test_trackers_change_nothing_that_is_learned(wandb, small):
    expected = train(small("logger=none", run="without"))
    assert train(small("logger=[csv,wandb]", *OFFLINE, run="with")) == expected


def test_mlflow_needs_no_server(configuration, monkeypatch):
    assert configuration("logger=mlflow").logger.mlflow.tracking_uri.endswith("runs.db")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert configuration("logger=mlflow").logger.mlflow.tracking_uri == "sqlite:///mlflow.db"


def test_choices_of_logger():
    assert {file.stem for file in (ROOT / "conf/logger").iterdir()} == {"csv", "mlflow", "none", "tensorboard", "wandb"}


def test_lists_of_loggers_compose(configuration):
    assert configuration("logger=[tensorboard,csv]").logger.keys() == {"tensorboard", "csv"}
    assert not configuration("logger=[none]").logger
    validate_config(configuration("name=a", "logger=[]"))


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_missing_package_is_reported_before_training(name, configuration, monkeypatch):
    monkeypatch.setattr(validation, "find_spec", lambda package: None)
    with pytest.raises(
        UserError, match=rf"^logger={name}: {name} is not installed. Run pip install 'vae-l.*\[{name}\]'.$"
    ):
        validate_config(configuration("name=a", f"logger={name}"))


def test_directory_that_wandb_writes_is_not_taken_for_the_package(tmp_path, monkeypatch):
    (tmp_path / "some_tracker").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert not validation.is_installed("some_tracker")
    assert validation.is_installed("json")


def test_logger_that_cannot_begin_is_reported(tmp_path):
    class WandbLogger(L.pytorch.loggers.CSVLogger):
        def log_hyperparams(self, params):
            raise RuntimeError("no API key")

    with pytest.raises(UserError, match=r"^logger: WandbLogger cannot begin \(no API key\). Run wandb login, or set "):
        begin_logging([WandbLogger(tmp_path)], {}, tmp_path, {})


def test_loggers_do_not_identify_a_run(configuration):
    from omegaconf import OmegaConf

    one, other = (
        config_identity(OmegaConf.to_container(configuration("name=a", f"logger={choice}"), resolve=True))
        for choice in ("none", "[csv,wandb,mlflow]")
    )
    assert one == other
