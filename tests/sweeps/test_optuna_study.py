"""`hydra/sweeper=optuna`: a search resumes where it stopped, prunes unpromising runs, and finds the best."""

import os
import signal
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sweep_commands import STUDY, type_sweep

from vae_lightning.errors import UserError
from vae_lightning.report import report
from vae_lightning.sweeps import hydra_callback
from vae_lightning.sweeps.optuna_study import open_study, to_distribution

__all__ = ["type_sweep"]  # a fixture
SEARCH = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "model=beta_vae", "model.beta=interval(0.5,16)"]
PRUNER = [f"hydra.sweeper.pruner.{option}" for option in ("percentile=0", "n_startup_trials=1", "n_warmup_steps=1")]


def trials(folder: Path = STUDY) -> list[tuple[str, str, float | None]]:
    """The swept override, the state and the value of each trial."""
    return [
        (next(o for o in t.user_attrs["overrides"] if "beta=" in o), t.state.name, t.value)
        for t in open_study(folder).trials
    ]


def test_a_search_prints_the_best_trial_and_can_be_extended(type_sweep):
    out = type_sweep(*SEARCH)
    found = trials()
    assert [state for _, state, _ in found] == ["COMPLETE"] * 3
    best = min(found, key=lambda trial: trial[2])
    assert out.rstrip().endswith(f"best of 3: val/nelbo={best[2]:.2f} with {best[0]}")
    assert len({beta for beta, *_ in found}) == 3
    assert all(0.5 <= float(beta.partition("=")[2]) <= 16 for beta, *_ in found)

    assert type_sweep(*SEARCH).count("\n") == 1  # the best again, and no run
    type_sweep(*SEARCH, "hydra.sweeper.n_trials=4")
    assert trials()[:3] == found
    assert len(trials()) == 4
    command = (report(STUDY).parent / "report.md").read_text()
    assert "hydra/sweeper=optuna" in command
    assert "'model.beta=interval(0.5,16)'" in command


@pytest.mark.parametrize("n", [8, 18])  # batches of 3 x 2 x 5 (the last in the second epoch of the second run)
def test_an_interrupted_search_ends_like_an_uninterrupted_one(n, type_sweep, monkeypatch):
    type_sweep(*SEARCH, "sweep=unbroken")
    calls = iter(range(1, 1000))

    def stop(*_) -> None:
        if next(calls) == n:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr("vae_lightning.callbacks.RunState.on_train_batch_start", stop, raising=False)
        with pytest.raises(SystemExit):
            type_sweep(*SEARCH)
    assert trials()[-1][1] == "RUNNING"
    assert "resuming interrupted run: " in type_sweep(*SEARCH)
    assert trials() == trials(STUDY.with_name("unbroken"))


def test_an_unpromising_run_is_pruned_which_is_not_a_failure(type_sweep):
    out = type_sweep(*SEARCH, *PRUNER, "name=${sweep}")  # an interpolation stays one
    assert out.count("pruned after 2 epochs, with val/nelbo ") == 1
    assert [state for _, state, _ in trials()] == ["COMPLETE", "COMPLETE", "PRUNED"]  # its β is between theirs
    (folder,) = (file.parent for file in STUDY.glob("*/pruned.txt"))
    assert trials()[2][0] in folder.name
    assert not (folder / "metrics.json").exists()
    assert "3 runs: 2 finished, 1 pruned." in (report(STUDY).parent / "report.md").read_text()
    assert "skipping pruned run: " in type_sweep("model=beta_vae", trials()[2][0], "name=${sweep}")


def test_rerunning_the_command_repeats_failed_runs(type_sweep, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("vae_lightning.callbacks.RunState.on_train_end", lambda *_: 1 / 0, raising=False)
        with pytest.raises(SystemExit, match="3 jobs failed"):
            type_sweep(*SEARCH)
    type_sweep(*SEARCH)
    assert [state for _, state, _ in trials()] == ["COMPLETE"] * 3


def test_an_objective_that_is_not_logged_is_an_error(type_sweep):
    options = ["hydra.sweeper.n_trials=1", "hydra.sweeper.objective=val/nelbow", "hydra.sweeper.pruner=null"]
    with pytest.raises(SystemExit, match=r"objective=val/nelbow: not logged. Use one of .*val/nelbo"):
        type_sweep(*SEARCH, *options)


@pytest.mark.parametrize(
    ("typed", "told"),
    {
        "model.beta=interval(-1,16)": r"^error: model.beta=-1.0: must be a number >= 0\.$",
        "model.optimizer.lr=tag(log,interval(0,1))": r"^error: model.optimizer.lr=0.0: must be a number > 0\.$",
    }.items(),
)
def test_an_invalid_end_of_an_interval_refuses_the_search_and_leaves_nothing(typed, told, type_sweep, tmp_path):
    with pytest.raises(SystemExit, match=told):
        type_sweep(*SEARCH, typed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("choice", ["hydra/sweeper=optuna", "hydra/launcher=submitit_slurm", "hydra/launcher=ray"])
def test_a_missing_package_is_named(choice, type_sweep, monkeypatch):
    monkeypatch.setattr(hydra_callback, "find_spec", lambda name: None)
    extra = choice.partition("=")[2].partition("_")[0]
    with pytest.raises(SystemExit) as refused:
        type_sweep(choice)
    assert str(refused.value) == f"error: {choice}: is not installed. Run pip install 'vae-lightning[{extra}]'."


def test_a_different_search_in_the_same_directory_is_refused(type_sweep):
    type_sweep(*SEARCH, "hydra.sweeper.n_trials=1")
    different = r"\(trainer.max_epochs=2, trainer.max_epochs=3\)\. Set another name"
    with pytest.raises(UserError, match=rf"^sweep: its directory holds a different search {different}"):
        type_sweep(*SEARCH, "trainer.max_epochs=3")
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
    assert {typed: to_distribution(parser.parse_override(typed)) for typed in expected} == expected


def test_the_configuration_of_a_run_does_not_depend_on_its_search(type_sweep):
    type_sweep(*SEARCH, "hydra.sweeper.n_trials=1", "hydra.sweeper.objective=train/nelbo")
    (config,) = STUDY.glob("*/.hydra/config.yaml")
    assert "pruning" in OmegaConf.load(config).callbacks
    beta = trials()[0][0]
    assert "skipping finished run: " in type_sweep("model=beta_vae", beta)
