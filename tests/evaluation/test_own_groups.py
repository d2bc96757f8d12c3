"""Metrics that are functions of the user's own."""

import json
from pathlib import Path

import pytest
import torch

from vae_lightning.cli.main import main
from vae_lightning.errors import UserError
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.evaluate import evaluate
from vae_lightning.evaluation.results import Result
from vae_lightning.training.train import train

NUMBER = 3


def spread(context: EvaluationContext) -> dict:
    mean = context.encoded.mean
    return {"variance": mean.var(), "largest": Result(mean.max().item(), error=0.5, note="a note"), "count": len(mean)}


def nothing(context: EvaluationContext) -> None:
    pass


class Other:
    nothing = staticmethod(nothing)


def vectors(context: EvaluationContext) -> dict:
    return {"vector": torch.zeros(2)}


def samples(context: EvaluationContext) -> dict:
    return {}


def test_numbers_of_a_function_are_beside_those_of_the_package(small, capsys):
    cfg = small("trainer.max_epochs=1", "logger=none")
    trained = train(cfg)
    main(["evaluate", cfg.run_dir, "--quick", "--only", "information,test_own_groups.spread", "--images", "50"])
    shown = capsys.readouterr().out
    assert "largest" in shown
    assert "a note" in shown
    saved = json.loads((Path(cfg.run_dir) / "metrics.json").read_text())
    assert saved.items() >= trained.items()
    assert saved["spread/count"] == 50
    assert saved["spread/variance"] > 0
    assert saved["spread/largest_se"] == 0.5
    assert set(saved["evaluation"]) == {"information", "spread"}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("test_own_groups.nowhere", r"cannot be imported \(.*nowhere.*\)\. Run the command from the directory"),
        ("no_such_module.metric", r"cannot be imported \(.*no_such_module"),
        ("..", "cannot be imported"),
        ("test_own_groups.NUMBER", "not a function"),
        ("test_own_groups.samples", "there are other metrics of this name"),
    ],
)
def test_functions_that_cannot_be_used_are_reported(target, message):
    with pytest.raises(UserError, match=f"--only={target}: {message}"):
        evaluate("nowhere", only=[target])


def test_functions_of_one_name_are_reported():
    only = ["test_own_groups.nothing", "test_own_groups.Other.nothing"]
    with pytest.raises(UserError, match=rf"--only={only[1]}: there are other metrics of this name"):
        evaluate("nowhere", only=only)


@pytest.mark.parametrize("name", ["nothing", "vectors"])
def test_other_return_values_are_reported(name, small):
    cfg = small("trainer.max_epochs=1", "logger=none", "callbacks=minimal")
    train(cfg)
    with pytest.raises(UserError, match=f"--only=test_own_groups.{name}: must return a dictionary of numbers or Res"):
        evaluate(cfg.run_dir, only=[f"test_own_groups.{name}"])
