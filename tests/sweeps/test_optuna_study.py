"""Tests of searches with `hydra/sweeper=optuna`: resuming, pruning, and finding the best trial."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sweep_commands import STUDY, run_sweep

from vae_lightning.callbacks import Pruning
from vae_lightning.report import report
from vae_lightning.sweeps import hydra_callback
from vae_lightning.sweeps.optuna_study import ask_trial, find_trial, open_study, to_distribution

__all__ = ["run_sweep"]  # a fixture
SEARCH = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "model=beta_vae", "model.beta=interval(0.5,16)"]
PRUNER = [f"hydra.sweeper.pruner.{option}" for option in ("percentile=0", "n_startup_trials=1", "n_warmup_steps=1")]


def trials(directory: Path = STUDY) -> list[tuple[str, str, float | None]]:
    """Return the swept override, the state and the value of each trial."""
    return [
        (next(o for o in t.user_attrs["overrides"] if "beta=" in o), t.state.name, t.value)
        for t in open_study(directory).trials
    ]


def test_search_prints_the_best_trial_and_can_be_extended(run_sweep):
    out = run_sweep(*SEARCH)
    found = trials()
    assert [state for _, state, _ in found] == ["COMPLETE"] * 3
    best = min(found, key=lambda trial: trial[2])
    *_, result, hint = out.splitlines()
    assert result == f"best of 3: val/nelbo={best[2]:.2f} with {best[0]}"
    assert hint.startswith("report     vae-lightning report ")
    assert len({beta for beta, *_ in found}) == 3
    assert all(0.5 <= float(beta.partition("=")[2]) <= 16 for beta, *_ in found)

    assert run_sweep(*SEARCH).splitlines() == [result, hint]  # no run
    run_sweep(*SEARCH, "hydra.sweeper.n_trials=4")
    assert trials()[:3] == found
    assert len(trials()) == 4
    command = (report(STUDY).parent / "report.md").read_text()
    assert "hydra/sweeper=optuna" in command
    assert "'model.beta=interval(0.5,16)'" in command


@pytest.mark.parametrize("n", [8, 18])  # batches of 3 x 2 x 5 (the last in the second epoch of the second run)
def test_interrupted_search_is_resumed_with_the_same_result(n, run_sweep, monkeypatch):
    run_sweep(*SEARCH, "sweep=uninterrupted")
    calls = iter(range(1, 1000))

    def stop(*_) -> None:
        if next(calls) == n:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr("vae_lightning.callbacks.RunState.on_train_batch_start", stop, raising=False)
        with pytest.raises(SystemExit):
            run_sweep(*SEARCH)
    assert trials()[-1][1] == "RUNNING"
    assert "resuming interrupted run: " in run_sweep(*SEARCH)
    assert trials() == trials(STUDY.with_name("uninterrupted"))


def test_unpromising_run_is_pruned_and_does_not_count_as_failed(run_sweep):
    out = run_sweep(*SEARCH, *PRUNER, "name=${sweep}")  # interpolations are not resolved
    assert out.count("pruned after 2 epochs, with val/nelbo ") == 1
    assert [state for _, state, _ in trials()] == ["COMPLETE", "COMPLETE", "PRUNED"]  # its β is between the other two
    (job_dir,) = (file.parent for file in STUDY.glob("*/pruned.txt"))
    assert trials()[2][0] in job_dir.name
    assert not (job_dir / "metrics.json").exists()
    assert "3 runs: 2 finished, 1 pruned." in (report(STUDY).parent / "report.md").read_text()
    assert "skipping pruned run: " in run_sweep("model=beta_vae", trials()[2][0], "name=${sweep}")


def test_rerun_repeats_failed_runs(run_sweep, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("vae_lightning.callbacks.RunState.on_train_end", lambda *_: 1 / 0, raising=False)
        with pytest.raises(SystemExit, match="3 jobs failed"):
            run_sweep(*SEARCH)
    run_sweep(*SEARCH)
    assert [state for _, state, _ in trials()] == ["COMPLETE"] * 3


def test_objective_that_is_not_logged_raises(run_sweep):
    options = ["hydra.sweeper.n_trials=1", "hydra.sweeper.objective=val/nelbow", "hydra.sweeper.pruner=null"]
    with pytest.raises(SystemExit, match=r"objective=val/nelbow: not logged. Use one of .*val/nelbo"):
        run_sweep(*SEARCH, *options)


@pytest.mark.parametrize(
    ("override", "message"),
    {
        "model.beta=interval(-1,16)": r"^error: model.beta=-1.0: must be a number >= 0\.$",
        "model.optimizer.lr=tag(log,interval(0,1))": r"^error: model.optimizer.lr=0.0: must be a number > 0\.$",
    }.items(),
)
def test_invalid_interval_bound_stops_the_search_before_anything_is_written(override, message, run_sweep, tmp_path):
    with pytest.raises(SystemExit, match=message):
        run_sweep(*SEARCH, override)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "choice", ["hydra/sweeper=optuna", "hydra/launcher=auto", "hydra/launcher=submitit_slurm", "hydra/launcher=ray"]
)
def test_missing_package_is_reported(choice, run_sweep, monkeypatch):
    monkeypatch.setattr(hydra_callback, "find_spec", lambda name: None)
    extra = choice.partition("=")[2].partition("_")[0].replace("auto", "joblib")
    with pytest.raises(SystemExit) as error:
        run_sweep(choice)
    assert str(error.value) == f"error: {choice}: is not installed. Run pip install 'vae-lightning[{extra}]'."


def test_different_search_in_the_same_directory_raises(run_sweep):
    run_sweep(*SEARCH, "hydra.sweeper.n_trials=1")
    different = r"\(trainer.max_epochs=2, trainer.max_epochs=3\)\. Set another name"
    with pytest.raises(SystemExit, match=rf"^error: sweep: its directory holds a different search {different}"):
        run_sweep(*SEARCH, "trainer.max_epochs=3")
    assert len(trials()) == 1


def test_overrides_are_converted_to_distributions():
    expected = {
        "a=1,x,[2]": CategoricalDistribution(["1", "x", "[2]"]),
        "a=range(1,4)": CategoricalDistribution(["1", "2", "3"]),
        "a=interval(1,4)": FloatDistribution(1, 4),
        "a=int(interval(2,32))": IntDistribution(2, 32),
        "a=tag(log,interval(1e-4,1e-2))": FloatDistribution(1e-4, 1e-2, log=True),
        "a=tag(log,int(interval(2,32)))": IntDistribution(2, 32, log=True),
    }
    parser = OverridesParser.create()
    assert {override: to_distribution(parser.parse_override(override)) for override in expected} == expected


def test_plain_sweep_skips_a_run_finished_by_a_search(run_sweep):
    run_sweep(*SEARCH, "hydra.sweeper.n_trials=1", "hydra.sweeper.objective=train/nelbo")
    (config,) = STUDY.glob("*/.hydra/config.yaml")
    assert "pruning" in OmegaConf.load(config).callbacks
    beta = trials()[0][0]
    assert "skipping finished run: " in run_sweep("model=beta_vae", beta)


def test_a_job_finds_its_own_trial(tmp_path):
    study = open_study(tmp_path)
    overrides = OverridesParser.create().parse_overrides(["a=interval(0.0,1.0)", "b=3"])
    _, second = (ask_trial(study, overrides) for _ in range(2))
    assert find_trial(study, second.user_attrs["overrides"]).number == 1
    assert find_trial(study, ["a=7"]) is None


@pytest.mark.parametrize(("processes", "number"), [(1, 0), (2, None)])
def test_one_of_several_processes_does_not_stop_alone(processes, number, tmp_path):
    overrides = OverridesParser.create().parse_overrides(["a=interval(0.0,1.0)"])
    trial = ask_trial(open_study(tmp_path), overrides)
    pruning = Pruning(str(tmp_path), trial.user_attrs["overrides"], "val/nelbo", None)
    pruning.on_train_start(SimpleNamespace(world_size=processes), None)
    assert (pruning.trial and pruning.trial.number) == number
