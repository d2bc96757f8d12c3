"""Tests that a rerun sweep skips finished jobs, resumes interrupted ones, and continues after failures."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from crashes import CrashError
from omegaconf import OmegaConf
from sweep_commands import OPTIONS, STUDY, run_sweep

from vae_lightning.config.comparison import config_identity, trains_longer
from vae_lightning.config.flags import split_flags
from vae_lightning.config.job_names import name_jobs
from vae_lightning.config.overrides import defer_options
from vae_lightning.errors import UserError
from vae_lightning.runs.locking import exclusive
from vae_lightning.runs.recording import save_metrics
from vae_lightning.sweeps.job import find_job_dir

__all__ = ["run_sweep"]  # a fixture


def read_all_metrics() -> dict[str, dict[str, float]]:
    return {file.parent.name: json.loads(file.read_text()) for file in STUDY.glob("*/metrics.json")}


def find_job(part: str) -> Path:
    (job_dir,) = (path for path in STUDY.iterdir() if part in path.name and "~" not in path.name)
    return job_dir


def test_job_that_another_process_runs_is_skipped(run_sweep):
    run_sweep("model.latent_dim=2", "trainer.max_epochs=1")
    with exclusive(find_job("dim=2")):
        out = run_sweep("model.latent_dim=2", "trainer.max_epochs=2")
    assert f"skipping job that another process runs: {find_job('dim=2').name}" in out
    assert not (find_job("dim=2") / "failure.txt").exists()


def test_rerun_skips_finished_jobs_and_runs_new_ones(run_sweep):
    run_sweep("model.latent_dim=2,3")
    before = {name: (STUDY / name / "metrics.json").stat().st_mtime_ns for name in read_all_metrics()}
    assert len(before) == 2
    metrics = json.loads((find_job("dim=2") / "metrics.json").read_text())
    save_metrics({**metrics, "likelihood/log_px": -1.0}, find_job("dim=2"))  # as `evaluate` does
    before[find_job("dim=2").name] = (find_job("dim=2") / "metrics.json").stat().st_mtime_ns

    out = run_sweep("model.latent_dim=2,3,4")
    assert out.count("skipping finished run: ") == 2
    after = {name: (STUDY / name / "metrics.json").stat().st_mtime_ns for name in read_all_metrics()}
    assert len(after) == 3
    assert before.items() <= after.items()


def test_run_with_a_different_configuration_is_archived(run_sweep):
    run_sweep("model.latent_dim=2")
    job_dir = find_job("dim=2")
    config = OmegaConf.load(job_dir / ".hydra" / "config.yaml")
    config.model.optimizer.lr = 0.5
    OmegaConf.save(config, job_dir / ".hydra" / "config.yaml")
    out = run_sweep("model.latent_dim=2")
    assert "archiving run with a different configuration (model.optimizer.lr) as " in out
    assert (STUDY / f"{job_dir.name}~1" / "metrics.json").is_file()
    assert OmegaConf.load(job_dir / ".hydra" / "config.yaml").model.optimizer.lr == 1e-3
    assert (job_dir / "metrics.json").is_file()


def test_job_starts_beside_a_damaged_run(small, tmp_path):
    damaged = tmp_path / "study" / "damaged" / ".hydra"
    damaged.mkdir(parents=True)
    (damaged / "config.yaml").write_text("[")
    job_dir = tmp_path / "study" / "job"
    assert find_job_dir(job_dir, OmegaConf.to_container(small(run="study/job"), resolve=True)) == job_dir


def test_longer_sweep_extends_finished_jobs(run_sweep):
    run_sweep("model.latent_dim=2,3", "trainer.max_epochs=3", "sweep=long")
    expected = {file.parent.name: file.read_text() for file in Path("runs/sweeps/long").glob("*/metrics.json")}
    run_sweep("model.latent_dim=2,3", "trainer.max_epochs=1")
    assert run_sweep("model.latent_dim=2,3", "trainer.max_epochs=3").count("extending run: ") == 2
    assert {file.parent.name: file.read_text() for file in STUDY.glob("*/metrics.json")} == expected
    assert run_sweep("model.latent_dim=2,3", "trainer.max_epochs=2").count("skipping finished run: ") == 2


def test_sweep_over_max_epochs_trains_each_job_anew(run_sweep):
    run_sweep("model.latent_dim=2", "trainer.max_epochs=1,2")
    assert sorted(read_all_metrics()) == ["trainer.max_epochs=1", "trainer.max_epochs=2"]


def test_jobs_are_found_under_other_names(run_sweep):
    """Names depend on which options are swept, so those of a sweep over more options are different."""
    run_sweep("model.latent_dim=2,3", "seed=0")
    assert sorted(read_all_metrics()) == ["model.latent_dim=2", "model.latent_dim=3"]
    assert run_sweep("model.latent_dim=2,3", "seed=0,1").count("skipping finished run: ") == 2
    assert run_sweep("model.latent_dim=2,3", "seed=0,1", "trainer.max_epochs=3").count("extending run: ") == 4
    added = ["model.latent_dim=2,seed=1", "model.latent_dim=3,seed=1"]
    assert sorted(path.name for path in STUDY.iterdir() if path.is_dir()) == sorted(
        ["model.latent_dim=2", "model.latent_dim=3", *added]
    )


def test_sweep_of_nothing_has_one_job(run_sweep):
    run_sweep("trainer.max_epochs=1", "sweep=default")
    (job_dir,) = (path for path in Path("runs/sweeps/default").iterdir() if path.is_dir())
    assert (job_dir / "metrics.json").is_file()


def test_options_of_swept_models_are_those_of_the_jobs(run_sweep):
    options = [
        "model=beta_vae,beta_tcvae",
        "model.beta=2.5",
        "model/network=mlp,resnet",
        "model.network.hidden_dims=[8]",
    ]
    assert defer_options(["seed=1", *options]) == [
        "seed=1",
        "model=beta_vae,beta_tcvae",
        "model.beta=choice(2.5)",
        "model/network=mlp,resnet",
        "model.network.hidden_dims=choice([8])",
    ]
    fixed = ["model.init_std=null", "model.x='4'", "data.batch_size=8", "seed=1"]
    assert defer_options(["model=a,b", *fixed]) == ["model=a,b", *(f"++{o}" for o in fixed[:2]), *fixed[2:]]
    assert defer_options(["experiment=a,b", *fixed])[3] == "data.batch_size=choice(8)"
    run_sweep(options[0], options[1], "trainer.max_epochs=1")
    for name in ("beta_vae", "beta_tcvae"):
        config = OmegaConf.load(STUDY / f"model={name}" / ".hydra" / "config.yaml")
        assert config.model.beta == 2.5


def test_jobs_cannot_share_a_directory_that_the_command_names():
    with pytest.raises(UserError, match=r"^run_dir=here: all jobs of the sweep would share this directory\. Set sweep"):
        name_jobs(["run_dir=here", "seed=1,2"])


def test_name_jobs_excludes_options_that_are_not_swept():
    exclude_keys = "hydra.job.config.override_dirname.exclude_keys"
    assert name_jobs(["model=vae,cvae", "+trainer.max_steps=5", "model/network=mlp", "seed=range(3)"]) == [
        f'{exclude_keys}=["trainer.max_steps","model/network"]'
    ]
    assert name_jobs(["model=vae", "seed=1"]) == []
    assert name_jobs(["seed=1,2", f"{exclude_keys}=[]"]) == []


def test_trains_longer():
    def config(**limits):
        return {"trainer": limits}

    assert trains_longer(config(max_epochs=1), config(max_epochs=2))
    assert not trains_longer(config(max_epochs=2), config(max_epochs=1))
    assert trains_longer(config(max_epochs=2, max_steps=10), config(max_epochs=2))
    assert not trains_longer(config(max_epochs=2), config(max_epochs=2, max_steps=10))
    assert trains_longer(config(max_epochs=2, max_time="00:01:00:00"), config(max_epochs=2, max_time="00:02:00:00"))


@pytest.mark.parametrize(("hook", "n"), [("on_train_batch_start", 8), ("on_train_end", 1), ("on_test_end", 1)])
def test_interrupted_job_is_resumed_with_the_same_result(hook, n, run_sweep, monkeypatch):
    """An exception simulates kill -9, so the record of the failure is removed from the job's directory."""
    jobs = ["model=vae,beta_tcvae", "model.latent_dim=2"]
    run_sweep(*jobs, "sweep=uninterrupted")
    expected = {
        file.parent.name: json.loads(file.read_text())
        for file in Path("runs/sweeps/uninterrupted").glob("*/metrics.json")
    }
    assert len(expected) == 2

    calls = iter(range(1, 1000))

    def crash(*_):
        if next(calls) == n:
            raise CrashError

    with monkeypatch.context() as patched:
        patched.setattr(f"vae_lightning.callbacks.RunState.{hook}", crash, raising=False)
        with pytest.raises(SystemExit, match="CrashError"):
            run_sweep(*jobs)
    (failed,) = STUDY.glob("*/failure.txt")
    failed.unlink()
    assert "resuming interrupted run: " in run_sweep(*jobs)
    assert read_all_metrics() == expected


def test_failed_job_is_recorded_and_does_not_stop_the_others(run_sweep):
    jobs = ["data.num_classes=5,10", "model=cvae", "model.latent_dim=2"]  # the digits have ten classes
    for _ in range(2):
        with pytest.raises(SystemExit) as end:
            run_sweep(*jobs)
        assert str(end.value).startswith("error: 1 job failed. Rerun the command to try again.\n  data.num_classes=5:")
        assert "\n" not in str(end.value).partition("\n")[2]
        assert "the train labels go up to 9. Set 10 or more" in str(end.value)
        assert (find_job("classes=5") / "failure.txt").read_text().count("\n") == 1
        assert (find_job("classes=5") / ".hydra" / "config.yaml").is_file()
        assert list(read_all_metrics()) == [find_job("classes=10").name]
    # The failed job is not part of this sweep, which therefore succeeds.
    assert "skipping finished run: " in run_sweep("data.num_classes=10", *jobs[1:])


def test_diverged_run_is_recorded_as_failed(run_sweep):
    with pytest.raises(SystemExit, match="1 job failed"):
        run_sweep("model.latent_dim=2", "model.optimizer.lr=1e30,1e-3")
    assert (find_job("lr=1e+30") / "failure.txt").is_file()
    assert not (find_job("lr=0.001") / "failure.txt").exists()


def test_error_in_any_job_stops_the_sweep_before_anything_is_written(run_sweep, tmp_path):
    with pytest.raises(SystemExit, match=r"^error: model.latent_dim=0: must be an integer from 1 to 1,000,000"):
        run_sweep("model.latent_dim=2,0")
    assert list(tmp_path.iterdir()) == []


def test_arguments_and_environment_do_not_leak_between_jobs(run_sweep, monkeypatch):
    """Nor does Lightning find that the sweep itself runs in a SLURM job."""
    monkeypatch.setenv("SLURM_NTASKS", "2")
    seen = []

    def run(cfg):
        seen.append((sys.argv[1:], {"LOCAL_RANK", "SLURM_NTASKS"} & os.environ.keys()))
        os.environ["LOCAL_RANK"] = "0"  # as Lightning's DDP does
        return {}

    monkeypatch.setattr("vae_lightning.cli.train.run", run)
    run_sweep("model.latent_dim=2,3")
    assert [found for _, found in seen] == [set(), set()]
    assert os.environ["SLURM_NTASKS"] == "2"
    for (arguments, _), latent_dim in zip(seen, (2, 3), strict=True):
        assert f"model.latent_dim={latent_dim}" in arguments
        assert "-m" not in arguments


def test_config_identity_does_not_include_the_run_directory(small):
    here, there = (OmegaConf.to_container(small(run=run), resolve=True) for run in ("here", "there"))
    assert here != there
    assert config_identity(here) == config_identity(there)
    assert config_identity({**here, "seed": 1}) != config_identity(there)


def test_split_flags_accepts_flags_between_overrides():
    assert split_flags(["a=1", "-m", "b=2", "--config-dir", "conf", "c=3"]) == (
        ["-m", "--config-dir", "conf"],
        ["a=1", "b=2", "c=3"],
    )


@pytest.mark.slow
def test_sweep_with_a_failed_job_exits_with_code_1(tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), "-m", "data.num_classes=5,10", "model=cvae", *OPTIONS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "error: 1 job failed" in done.stderr
    assert len(list(tmp_path.glob("runs/sweeps/study/*/metrics.json"))) == 1
    assert "Traceback" not in done.stderr
