"""Evaluation of several runs, their comparison, and errors of some of them."""

import json
import shutil
from pathlib import Path

import pytest

from vae_lightning.cli.main import main
from vae_lightning.errors import UserError
from vae_lightning.evaluation import evaluate_runs as module
from vae_lightning.evaluation.evaluate_runs import evaluate_runs
from vae_lightning.evaluation.feature_network import CLASSIFIERS
from vae_lightning.training.train import train

QUICK = {"quick": True, "images": 100, "samples": 5, "classifier_steps": 2}


@pytest.fixture
def two_runs(small, tmp_path, monkeypatch) -> Path:
    """Make a sweep of two runs in runs/sweeps/first of the current directory."""
    monkeypatch.chdir(tmp_path)
    sweep = Path("runs/sweeps/first")
    for name in ("beta_1", "beta_4"):
        train(small("trainer.max_epochs=1", "logger=none", "~callbacks.figures", run=str(sweep / name)))
    return sweep


def test_runs_of_a_sweep_are_compared_with_one_classifier(two_runs, capsys):
    CLASSIFIERS.clear()
    numbers = evaluate_runs([two_runs, two_runs / "beta_4"], only=["likelihood", "samples"], **QUICK)
    assert [*numbers] == [two_runs / "beta_1", two_runs / "beta_4"]
    assert len(CLASSIFIERS) == 1
    for run, values in numbers.items():
        assert json.loads((run / "metrics.json").read_text()).items() >= values.items()
    *_, header, _, first, second, _ = capsys.readouterr().out.splitlines()
    columns = ["log p(x)", "nelbo", "FID", "KID", "precision", "recall", "density", "coverage", "run"]
    assert header.split() == " ".join(columns).split()
    assert (first.split()[-1], second.split()[-1]) == ("beta_1", "beta_4")
    assert float(second.split()[0]) == pytest.approx(numbers[two_runs / "beta_4"]["likelihood/log_px"], abs=0.01)


def test_one_run_has_no_comparison(two_runs, capsys):
    run = two_runs / "beta_1"
    assert [*evaluate_runs([run], only=["downstream"], **QUICK)] == [run]
    assert capsys.readouterr().out.splitlines()[-1] == f"written    {run}/metrics.json"


def test_other_runs_are_evaluated_if_one_fails(two_runs, capsys):
    (two_runs / "beta_1/checkpoints/best.ckpt").write_bytes(b"damaged")
    with pytest.raises(SystemExit, match=f"error: {two_runs}/beta_1: not evaluated. Fix the errors above"):
        main(["evaluate", str(two_runs), "--quick", "--only", "downstream"])
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert line.startswith(f"error: {two_runs}/beta_1/checkpoints/best.ckpt: ")
    assert printed.out.splitlines()[-2].endswith(" beta_4  ")


def test_unexpected_error_of_one_run_is_one_line(two_runs, capsys, monkeypatch):
    def evaluate(run, **_):
        if run.name == "beta_1":
            raise RuntimeError("no\nmemory")
        return {"samples/fid": 1.5}

    monkeypatch.setattr(module, "evaluate", evaluate)
    with pytest.raises(UserError, match="beta_1: not evaluated"):
        evaluate_runs([two_runs])
    hint = "Evaluate it alone with --debug to see where it comes from."
    assert capsys.readouterr().err == f"error: {two_runs}/beta_1: RuntimeError: no memory. {hint}\n"
    with pytest.raises(UserError, match="beta_1: RuntimeError: no memory"):
        evaluate_runs([two_runs / "beta_1"])


def test_invalid_option_is_reported_before_any_run(two_runs, capsys):
    with pytest.raises(SystemExit, match="error: --only=speed: "):
        main(["evaluate", str(two_runs), "--only", "speed"])
    assert capsys.readouterr() == ("", "")


def test_unfinished_runs_of_a_directory_are_left_out(two_runs):
    (two_runs / "beta_1/metrics.json").unlink()
    assert [*evaluate_runs([two_runs], only=["downstream"], **QUICK)] == [two_runs / "beta_4"]
    shutil.rmtree(two_runs / "beta_4")
    with pytest.raises(UserError, match=f"{two_runs}: none of the runs in this directory has finished"):
        evaluate_runs([two_runs])
