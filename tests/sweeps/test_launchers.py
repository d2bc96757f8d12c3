"""Tests of sweeps whose jobs run in other processes: `hydra/launcher=joblib` and `submitit_local`."""

import os
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
from conftest import ROOT
from hydra import compose, initialize_config_dir
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from sweep_commands import OPTIONS

from hydra_plugins.vae_lightning_plugins.conf_search_path import ConfSearchPath

HERE = Path(__file__).parent


def run_sweep(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python train.py -m ...` in a directory, where `sweep_callbacks` can be imported."""
    command = [sys.executable, str(ROOT / "train.py"), "-m", *OPTIONS, *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment["PYTHONPATH"] = str(HERE)
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
def test_joblib_runs_all_jobs_reports_failures_and_divides_the_threads(tmp_path):
    arguments = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "model=cvae", "data.num_classes=5,10"]
    arguments.append("+callbacks.threads={_target_: sweep_callbacks.RecordThreads, directory: ${run_dir}}")
    done = run_sweep(tmp_path, *arguments)
    assert done.returncode == 1, done.stderr
    assert "error: 1 job failed" in done.stderr
    assert "Traceback" not in done.stderr
    study = tmp_path / "runs" / "sweeps" / "study"
    (failure,) = study.glob("*/failure.txt")
    assert "the train labels go up to 9. Set 10 or more" in failure.read_text()
    (finished,) = study.glob("*/metrics.json")
    threads = int((finished.parent / "threads.txt").read_text())
    assert threads == max(1, joblib.cpu_count() // 2)


@pytest.mark.slow
def test_submitit_restarts_a_preempted_job_with_the_same_result(tmp_path):
    preempted = "+callbacks.preempted={_target_: sweep_callbacks.PreemptOnce, directory: ${run_dir}}"
    done = run_sweep(tmp_path, "hydra/launcher=submitit_local", "model.latent_dim=2", preempted)
    assert done.returncode == 0, done.stderr
    study = tmp_path / "runs" / "sweeps" / "study"
    (log,) = study.glob(".submitit/*/*.out")
    assert "this job is preempted" in log.read_text()
    assert log.read_text().count("resuming interrupted run") == 1
    assert run_sweep(tmp_path, "model.latent_dim=2", "sweep=uninterrupted").returncode == 0
    (metrics,), (expected,) = (path.glob("*/metrics.json") for path in (study, study.with_name("uninterrupted")))
    assert metrics.read_text() == expected.read_text()


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "submitit_slurm"])
def test_plugin_has_every_option_in_conf(launcher):
    """An option in conf/hydra/launcher that the plugin does not have would be an error."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("train", [f"hydra/launcher={launcher}"], return_hydra_config=True).hydra.launcher
    module, _, name = config._target_.rpartition(".")
    assert config.keys() <= plugin_options(launcher)
    assert getattr(sys.modules[module], name)


def plugin_options(launcher: str) -> set[str]:
    if launcher == "joblib":
        from hydra_plugins.hydra_joblib_launcher.config import JobLibLauncherConf as Config
    elif launcher == "submitit_local":
        from hydra_plugins.hydra_submitit_launcher.config import LocalQueueConf as Config
    else:
        from hydra_plugins.hydra_submitit_launcher.config import SlurmQueueConf as Config
    return set(Config.__dataclass_fields__)


def test_launchers_of_other_programs_are_unchanged(monkeypatch):
    def registered_launchers(path: str) -> dict[str, object]:
        search_path: ConfigSearchPath = ConfigSearchPathImpl()
        search_path.append("main", path)
        monkeypatch.setitem(
            ConfigStore.instance().repo["hydra"], "launcher", {"joblib.yaml": object(), "other.yaml": 1}
        )
        ConfSearchPath().manipulate_search_path(search_path)
        return ConfigStore.instance().repo["hydra"]["launcher"]

    assert list(registered_launchers(f"file://{ROOT / 'conf'}")) == ["other.yaml"]
    assert list(registered_launchers("file:///another/conf")) == ["joblib.yaml", "other.yaml"]
