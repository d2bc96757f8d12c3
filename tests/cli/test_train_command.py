"""Tests of `python train.py`, each in a separate process."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT, SMALL

from vae_lightning.config.job_names import job_dir_name
from vae_lightning.config.overrides import expand_resume, place_run, unquoted
from vae_lightning.errors import UserError


def run_train(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python train.py ...` in a directory."""
    command = [sys.executable, str(ROOT / "train.py"), *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300, check=False)


ERRORS = {  # one for each place where errors come from; tests/faults/test_bad_configurations.py has many more
    "model=foo": "model=foo: no such choice. Choose one of aae, ada_gvae, ada_ml_vae, ae,",
    "modle=vae": "modle: no such option. Did you mean model?",
    "model=[": "model=[: cannot be parsed. Use name=value",
    "model.latent_dim=0": "model.latent_dim=0: must be an integer from 1 to 1,000,000",
    "sweep=a model.latent_dim=2,10": "a sweep. Run python train.py -m sweep=a model.latent_dim=2,10",
    "--epochs 5": "--epochs: no such flag. Options have no dashes, such as trainer.max_epochs=5",
    "resume=nowhere": "nowhere: no such run or checkpoint",
    "-m resume=.": "resumes one run, not a sweep",
    "beta_vae": "beta_vae: has no name. Did you mean model=beta_vae?",
    "-m model=beta_vae,beta_vea model.beta=1": "model=beta_vea: no such choice. Did you mean beta_vae?",
    "data.image_shape=[1,3,3]": "images of 3 x 3 are too small to be halved 3 times",
}


@pytest.mark.slow
@pytest.mark.parametrize("overrides", ERRORS)
def test_error_is_one_line_and_nothing_is_written(overrides, tmp_path):
    done = run_train(tmp_path, *overrides.split())
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert ERRORS[overrides] in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_hydra_creates_the_directory_that_run_dir_names():
    assert place_run(["model=ae", "run_dir='a b=1'"]) == ["hydra.run.dir='a b=1'"]
    assert place_run(["model=ae"]) == []
    assert place_run(["run_dir=a", "hydra.run.dir=b"]) == []


def test_names_of_jobs_have_no_quotes():
    assert job_dir_name("init_from='runs/a=1/b',+seed=1") == "init_from=runs.a=1.b,seed=1"
    assert [unquoted(f"resume={value}") for value in ("'a b'", '"a"', "a'", "")] == ["a b", "a", "a'", ""]


@pytest.mark.slow
def test_debug_shows_the_stack_trace(tmp_path):
    done = run_train(tmp_path, "model.latent_dim=0", "debug=true")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.slow
def test_help_names_the_groups_and_shows_commands(tmp_path):
    done = run_train(tmp_path, "--help")
    assert done.returncode == 0
    for group in ("model", "model/posterior", "model/prior", "data", "experiment"):
        choices = sorted(file.stem for file in (ROOT / "conf" / group).glob("*.yaml"))
        assert f"{group}: {', '.join(choices)}" in " ".join(done.stdout.split())
    assert done.stdout.count("python train.py") >= 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_prints_the_command_that_resumes(tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), *SMALL, "trainer.max_epochs=10000"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("runs/small/*/checkpoints/last.ckpt")):
            assert process.poll() is None
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (run,) = (tmp_path / "runs" / "small").iterdir()
    assert out.endswith(f"interrupted. Resume with python train.py resume=runs/small/{run.name}\n")


@pytest.mark.slow
def test_resume_needs_only_the_run_directory(tmp_path):
    small = [override for override in SMALL if "progress_bar" not in override]
    done = run_train(tmp_path, *small, "callbacks=minimal", "model=beta_vae", "model.beta=2", "trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (run,) = (tmp_path / "runs" / "small").iterdir()
    before = json.loads((run / "metrics.json").read_text())
    assert "1,257 train, 180 val, 360 test images" in done.stdout
    assert f"python train.py resume=runs/small/{run.name} trainer.max_epochs=2" in done.stdout

    done = run_train(tmp_path, f"resume=runs/small/{run.name}", "trainer.max_epochs=2")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "runs" / "small").iterdir()) == [run]
    after = json.loads((run / "metrics.json").read_text())
    assert after["train/nelbo"] < before["train/nelbo"]
    assert after["train/beta"] == 2


@pytest.mark.slow
def test_sweep_has_one_directory_per_job(tmp_path):
    swept = ["model.latent_dim=2", "model.beta=1,4", "sweep=study", "callbacks=minimal"]
    options = [o for o in SMALL if "latent_dim" not in o and "max_epochs" not in o]
    done = run_train(tmp_path, "-m", "model=beta_vae", *swept, *options, "trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    sweep = tmp_path / "runs" / "sweeps" / "study"
    runs = sorted(sweep.glob("*/metrics.json"))
    assert [run.parent.name for run in runs] == ["model.beta=1", "model.beta=4"]
    assert len([path for path in sweep.iterdir() if path.is_dir()]) == 2
    run = runs[0].parent  # the name of this directory contains `=`
    done = run_train(tmp_path, f"resume={run}", "trainer.max_epochs=2")
    assert done.returncode == 0, done.stderr
    assert len(list(sweep.glob("*/metrics.json"))) == 2


@pytest.mark.slow
def test_sweep_finds_choices_in_a_directory_of_configurations(tmp_path):
    experiments = tmp_path / "own" / "experiment"
    experiments.mkdir(parents=True)
    (experiments / "mine.yaml").write_text("# @package _global_\nmodel:\n  init_std: 0.01\n")
    done = run_train(
        tmp_path, "--config-dir", "own", "-m", "experiment=mine", "sweep=study", "seed=3", *SMALL, "callbacks=minimal"
    )
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs" / "sweeps" / "study").glob("*/.hydra/config.yaml")
    assert "init_std: 0.01" in run.read_text()


def test_a_part_in_the_file_of_a_model_does_not_hide_the_chosen_one(tmp_path):
    (tmp_path / "conf" / "model").mkdir(parents=True)
    file = tmp_path / "conf" / "model" / "mine.yaml"
    prior = "prior: {_target_: vae_lightning.distributions.VampPrior, _partial_: true}"
    file.write_text(f"defaults: [vae, _self_]\n{prior}\n")
    done = run_train(tmp_path, "model=mine", "model/prior=standard_normal", *SMALL)
    assert done.stderr.strip() == (
        "error: model/prior=standard_normal: has no effect, since model=mine sets model.prior in its file. There, name"
        " it in the defaults instead: override prior: NAME."
    )
    assert not (tmp_path / "runs").exists()
    file.write_text("defaults: [vae, override prior: vamp, _self_]\n")
    for choice, expected in (("standard_normal", "StandardNormal"), ("vamp", "VampPrior")):
        done = run_train(tmp_path, "model=mine", f"model/prior={choice}", *SMALL, "run_dir=run", "--cfg", "job")
        assert expected in done.stdout


def test_job_dir_name_has_no_slash_and_at_most_200_bytes():
    assert job_dir_name("model/network=mlp,data.root=../shared") == "model.network=mlp,data.root=...shared"
    long, other = (job_dir_name("é" * 300 + end) for end in "ab")
    assert len(long.encode()) <= 200
    assert job_dir_name("") == "defaults"
    assert job_dir_name("++trainer.max_steps=5,model.beta=1e+3") == "trainer.max_steps=5,model.beta=1e+3"
    assert long != other


def test_new_overrides_follow_those_of_the_resumed_run(tmp_path):
    (tmp_path / ".hydra").mkdir()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- model=cvae\n- seed=1\n- resume='an earlier one'\n")
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    for path in (tmp_path, checkpoint, f"'{tmp_path}'"):
        assert expand_resume([f"resume={path}", "seed=2"]) == [
            "model=cvae",
            "seed=2",
            f"resume='{checkpoint}'",
            f"hydra.run.dir='{tmp_path}'",
        ]
    assert expand_resume(["seed=2"]) == ["seed=2"]
    assert expand_resume(["resume=null"]) == ["resume=null"]


def test_resume_from_a_checkpoint_outside_of_a_run_raises(tmp_path):
    stray = tmp_path / "checkpoints" / "last.ckpt"
    stray.parent.mkdir()
    stray.touch()
    with pytest.raises(UserError, match=r"is not a run directory \(no .hydra/overrides.yaml\)"):
        expand_resume([f"resume={stray}"])
