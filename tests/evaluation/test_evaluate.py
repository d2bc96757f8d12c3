"""Evaluation of a finished run: `metrics.json` and the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vae_lightning.cli.main import main
from vae_lightning.evaluation.evaluate import evaluate
from vae_lightning.evaluation.settings import GROUPS
from vae_lightning.training.train import train

FEW = {"images": 60, "samples": 5, "repeats": 2, "trees": 2}


def test_evaluate_adds_to_the_metrics_of_the_run(small, capsys):
    cfg = small("trainer.max_epochs=1", "logger=none")
    trained = train(cfg)
    file = Path(cfg.run_dir) / "metrics.json"
    first = evaluate(cfg.run_dir, quick=True, only=["likelihood", "downstream"], **FEW)
    saved = json.loads(file.read_text())
    assert saved.items() >= trained.items()
    assert saved.items() >= first.items()
    assert saved["evaluation"]["likelihood"]["settings"]["samples"] == 5
    assert "K = 5, 60 images" in saved["evaluation"]["likelihood"]["notes"]["log_px"]
    assert "log_px" in capsys.readouterr().out

    main(["evaluate", cfg.run_dir, "--quick", "--only", "information", "--images", "50"])
    both = json.loads(file.read_text())
    assert both.items() >= {k: v for k, v in saved.items() if k != "evaluation"}.items()
    assert set(both["evaluation"]) == {"likelihood", "downstream", "information"}
    assert 0 <= both["information/active_units"] <= 3
    assert evaluate(cfg.run_dir, quick=True, only=["likelihood"], **FEW).items() <= first.items()


def test_evaluate_with_a_protocol_records_its_name_and_settings(small, capsys):
    cfg = small("trainer.max_epochs=1", "logger=none")
    train(cfg)
    numbers = evaluate(cfg.run_dir, protocol="locatello2019", repeats=1)
    assert {name.partition("/")[0] for name in numbers} == {"disentanglement"}
    settings = json.loads((Path(cfg.run_dir) / "metrics.json").read_text())["evaluation"]["disentanglement"]["settings"]
    assert settings["preset"] == "locatello2019"
    assert (settings["split"], settings["images"], settings["factor_images"]) == ("train", 40_000, 10_000)
    assert "VAE, locatello2019, " in capsys.readouterr().out


def test_evaluate_computes_all_groups_by_default(small):
    cfg = small("trainer.max_epochs=1", "logger=none")
    train(cfg)
    numbers = evaluate(cfg.run_dir, quick=True, classifier_steps=2, permutations=9, **FEW)
    assert {name.partition("/")[0] for name in numbers} == set(GROUPS) - {"anomaly"}
    assert numbers["disentanglement/mig"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "speed"], "--only=speed: .*Choose one of likelihood, information"),
        (["--protocol", "suter2019"], "--protocol=suter2019: .*Choose one of locatello2019"),
        (["--protocol", "locatello2019", "--quick"], "--protocol=locatello2019: .*Remove --quick"),
        (["--protocol", "locatello2019", "--only", "samples"], "--only=samples: .*Choose one of disentanglement"),
        (["--samples", "0"], "--samples=0: must be an integer >= 1"),
        (["--split", "all"], "--split=all: .*Choose one of train, val, test"),
        (["--features", "vgg"], "--features=vgg: .*Choose one of classifier, inception"),
        (["--seed", "-1"], "--seed=-1: must be an integer >= 0"),
        ([], "no such run or checkpoint"),
    ],
)
def test_invalid_options_are_reported_on_one_line(options, message, tmp_path):
    run = tmp_path / "run" / "checkpoints" / "best.ckpt"
    run.parent.mkdir(parents=True)
    run.touch()  # options are checked before it is read
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main(["evaluate", str(run if options else tmp_path / "nowhere"), *options])


def test_evaluate_latest_uses_the_newest_run(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        train(small("trainer.max_epochs=1", "logger=none", run=f"runs/vae/{name}"))
    evaluate("latest", quick=True, only=["downstream"], **FEW)
    assert "evaluation" not in json.loads(Path("runs/vae/first/metrics.json").read_text())
    assert "evaluation" in json.loads(Path("runs/vae/second/metrics.json").read_text())


@pytest.mark.slow
def test_settings_are_imported_without_torch():
    code = "import sys, vae_lightning.evaluation.settings; print({'torch', 'lightning'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_earlier_numbers_of_the_same_group_are_replaced(small):
    cfg = small("trainer.max_epochs=1", "logger=none", "callbacks=minimal")
    train(cfg)
    file = Path(cfg.run_dir) / "metrics.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "likelihood/old": 1.0, "samples/old": 2.0}))
    evaluate(cfg.run_dir, quick=True, only=["likelihood"], **FEW)
    saved = json.loads(file.read_text())
    assert "likelihood/old" not in saved
    assert saved["samples/old"] == 2
