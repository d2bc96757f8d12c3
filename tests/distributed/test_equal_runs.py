"""Tests that `python train.py trainer=ddp` with two processes takes the steps of one with twice the batch size."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, SMALL

import vae_lightning
from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.training.train import train

DDP = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
# 1,255 training, 181 validation and 361 test images. These numbers and the sizes of the last batches are odd.
SPLITS = ["data.val_size=181", "data.test_size=361", "data.eval_batch_size=50", "data.binarize=dynamic"]
SPLITS += ["data.flip=true"]
COMMON = [o for o in SMALL if o not in ("trainer=cpu", "data.batch_size=256", "~callbacks.progress_bar")] + SPLITS
QUIET = ["callbacks=minimal", "logger=none"]


def run_train(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python train.py ARGUMENTS` in a folder, where `signal_one.SignalAt` can be imported."""
    return subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def assert_equal_runs(run: Path, reference: Path, expected: dict[str, float]) -> None:
    """Assert that metrics.json and the final weights are equal up to rounding in single precision."""
    assert json.loads((run / "metrics.json").read_text()) == pytest.approx(expected, rel=1e-5, abs=1e-4)
    expected_weights = load_verified(reference / "checkpoints" / "last.ckpt")["state_dict"]
    weights = load_verified(run / "checkpoints" / "last.ckpt")["state_dict"]
    torch.testing.assert_close(weights, expected_weights, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_sweep_jobs_under_ddp_equal_runs_of_one_process(configuration, tmp_path):
    """A checkpoint is written after each batch, which must not change the means over both processes."""
    models = ["vq_vae", "geco_vae", "m2"]  # with averages over the batch in their state, or a second batch
    options = [o for o in COMMON if "latent_dim" not in o] + [*QUIET, "data.labeled_per_class=5"]
    sweep = ["callbacks.last.every_n_train_steps=1", "data.batch_size=64", "sweep=study"]
    done = run_train(tmp_path, "-m", f"model={','.join(models)}", *options, *DDP, *sweep)
    assert done.returncode == 0, done.stderr
    folders = [path for path in (tmp_path / "runs" / "sweeps" / "study").iterdir() if path.is_dir()]
    assert len(folders) == len(models)
    for model in models:
        (folder,) = (f for f in folders if f"- model={model}\n" in (f / ".hydra" / "overrides.yaml").read_text())
        expected = train(configuration(f"model={model}", *options, "trainer=cpu", "data.batch_size=128", run=model))
        assert_equal_runs(folder, tmp_path / model, expected)


@pytest.mark.slow
def test_metrics_computed_by_one_process_select_the_checkpoint_in_both(configuration, tmp_path):
    names = "callbacks.metrics.names=[active_units,exact_mutual_information,knn]"
    options = [*COMMON, "logger=none", "~callbacks.figures", "~callbacks.progress_bar", "~callbacks.projector"]
    options += [names, "monitor=val/exact_mutual_information", "callbacks.best.mode=max"]
    done = run_train(tmp_path, *options, *DDP, "data.batch_size=64")
    assert done.returncode == 0, done.stderr
    expected = train(configuration(*options, "trainer=cpu", "data.batch_size=128"))
    (run,) = (tmp_path / "runs" / "small").iterdir()
    assert_equal_runs(run, tmp_path / "run", expected)


@pytest.mark.slow
def test_prior_learned_by_two_processes_equals_that_of_one(tmp_path, monkeypatch):
    """Both draw the latents that the prior is initialized with, the noise, and which labels are left out."""
    monkeypatch.chdir(tmp_path)
    options = ["trainer.enable_progress_bar=false", "trainer.max_epochs=2", *QUIET]
    first = vae_lightning.train([*COMMON, *QUIET, "trainer=cpu"])
    prior = [f"prior_of={first.run_dir}", "model/prior=flow_matching", "model.prior.width=8", "model.conditional=true"]
    done = run_train(tmp_path, *prior, *options, *DDP, "data.batch_size=64", "name=ddp")
    assert done.returncode == 0, done.stderr
    expected = vae_lightning.train([*prior, *options, "trainer=cpu", "data.batch_size=128"])
    (run,) = (tmp_path / "runs" / "ddp").iterdir()
    assert_equal_runs(run, expected.run_dir, expected.metrics)


@pytest.mark.slow
def test_run_interrupted_in_one_process_resumes_to_the_same_weights(configuration, tmp_path):
    """Figures are drawn, and files are written, by one process only."""
    options = [*COMMON, "model=beta_tcvae"]
    signal = "{_target_: signal_one.SignalAt, hook: on_train_batch_start, n: 14, signum: 15, rank: 1}"
    figures = ["callbacks.figures.periodic=[]", "callbacks.figures.final=[training_curves]"]
    callbacks = [*figures, "~callbacks.progress_bar", f"+callbacks.signal={signal}"]
    done = run_train(tmp_path, *options, *callbacks, *DDP, "data.batch_size=64")
    assert done.returncode == 143, done.stderr
    (run,) = (tmp_path / "runs" / "small").iterdir()
    last = load_verified(run / "checkpoints" / "last.ckpt")
    assert last["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["ready"] == 14

    done = run_train(tmp_path, f"resume={run}", "+callbacks.signal=null")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test of best.ckpt") == 1
    expected = train(configuration(*options, *QUIET, "trainer=cpu", "data.batch_size=128"))
    assert_equal_runs(run, tmp_path / "run", expected)
    writers = {file.name.split(".")[-2] for file in run.glob("events.out.tfevents.*")}  # ... .TIME.HOST.PROCESS.NUMBER
    assert len(writers) == 2  # one process before the interruption, and one after
    assert (run / "figures" / "training_curves.png").is_file()
