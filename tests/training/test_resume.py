"""Tests that an interrupted and resumed run ends with the same weights and metrics as an uninterrupted one."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from crashes import CrashError
from omegaconf import OmegaConf
from PIL import Image

from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.config.comparison import changed_options
from vae_lightning.errors import UserError
from vae_lightning.runs.artifacts import is_finished, read_config
from vae_lightning.training.train import train

# 2 epochs of 5 batches, a checkpoint after each batch, a warm-up that ends in the second epoch
OPTIONS = ["callbacks.warmup.steps=7", "callbacks.last.every_n_train_steps=1", "~callbacks.figures"]


def has_same_weights(run: Path, other: Path) -> bool:
    last = [torch.load(r / "checkpoints/last.ckpt", weights_only=True) for r in (run, other)]
    assert [checkpoint["images_seen"] for checkpoint in last] == [2 * 1257, 2 * 1257]
    first, second = (checkpoint["state_dict"] for checkpoint in last)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


ALL_POINTS = [("on_train_batch_start", n) for n in (2, 5, 6, 8, 10)]
ALL_POINTS += [(hook, n) for hook in ("on_validation_start", "on_train_epoch_end") for n in (1, 2)]
SOME_POINTS = [("on_train_batch_start", 4), ("on_train_batch_start", 8), ("on_validation_start", 2)]
LATE_POINTS = [("on_train_batch_start", 4), ("on_train_batch_start", 10)]
PAIRS = ["data=sprites", "data.pairs=random", "data.image_shape=[1,16,16]", "data.factor_sizes=[3,2,5,7,9]"]
PAIRS += ["data.val_size=180", "data.test_size=453"]  # 1,257 training images, as many as of digits
FACTORS = [*PAIRS, "data.pairs=null", "model.num_labeled=50", "model.latent_dim=5"]
DISCRIMINATOR = ["model=factor_vae", "model.discriminator_dims=[16]"]


@pytest.mark.parametrize(
    ("options", "points"),
    [
        (["model=beta_vae"], ALL_POINTS),
        (DISCRIMINATOR, SOME_POINTS),  # two optimizers
        (["model=autoencoder_kl", "model.discriminator_start=1.5"], LATE_POINTS),  # from the ninth batch on
        (["model=m2", "data.labeled_per_class=5"], LATE_POINTS),  # a second batch, of images with labels
        (["model=ada_gvae", *PAIRS], LATE_POINTS),  # a random partner for each image
        (["model=s2_beta_vae", *FACTORS], LATE_POINTS),  # a second batch, of images whose factors are given
        (["model=vade", "model.pretrain_epochs=1"], SOME_POINTS),  # clusters fitted after the first epoch
        (["model=cvae_gan"], LATE_POINTS),  # class centers updated by moving averages
        (["model=geco_vae", "model.tolerance=30"], SOME_POINTS),  # a multiplier and a moving average
        (["model=vq_vae", "model.latent_dim=4"], SOME_POINTS),  # codebook updated by moving averages
        (["model=beta_tcvae", "data.binarize=dynamic", "data.flip=true"], SOME_POINTS),
        (["model=vdvae", "callbacks=deep", "~callbacks.projector"], LATE_POINTS),  # averaged weights, and the last ones
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_resume_after_interruption_gives_the_same_weights_and_metrics(options, points, small, tmp_path):
    expected = train(small(*OPTIONS, *options, run="uninterrupted"))
    for hook, n in points:
        run = f"{hook}-{n}"
        crash = f"+callbacks.crash={{_target_: crashes.CrashAt, hook: {hook}, n: {n}}}"
        with pytest.raises(CrashError):
            train(small(*OPTIONS, *options, crash, run=run))
        assert train(small(*OPTIONS, *options, f"resume={tmp_path / run}", run=run)) == expected, run
        assert has_same_weights(tmp_path / "uninterrupted", tmp_path / run), run


def test_training_further_discards_the_evaluation_of_the_earlier_weights(small, tmp_path):
    train(small("trainer.max_epochs=1", run="run"))
    metrics = tmp_path / "run/metrics.json"
    trained = json.loads(metrics.read_text())
    metrics.write_text(json.dumps(trained | {"likelihood/log_px": -100.0, "evaluation": {"likelihood": {}}}))
    train(small("trainer.max_epochs=1", f"resume={tmp_path / 'run'}", run="run"))  # nothing to train
    assert json.loads(metrics.read_text())["likelihood/log_px"] == -100.0
    train(small(f"resume={tmp_path / 'run'}", run="run"))
    assert json.loads(metrics.read_text()).keys() == trained.keys()


@pytest.mark.parametrize(
    "model",
    [["model=vae"], ["model=vamp_vae", "model.prior.from_images=true"], ["model=riemannian_hamiltonian_vae"]],
)
def test_resume_with_more_epochs_equals_a_longer_run(model, small, tmp_path):
    expected = train(small(*model, run="long"))
    train(small(*model, "trainer.max_epochs=1", run="short"))
    assert train(small(*model, f"resume={tmp_path / 'short'}/checkpoints/best.ckpt", run="short")) == expected
    assert has_same_weights(tmp_path / "long", tmp_path / "short")


@pytest.mark.parametrize("options", [[], ["callbacks.last.every_n_train_steps=2"]])
def test_resume_with_more_steps_continues_within_an_epoch(options, small, tmp_path):
    """An epoch has 5 batches."""
    options = [*options, "trainer.max_epochs=9", "monitor=train/objective"]
    expected = train(small(*options, "+trainer.max_steps=10", run="long"))
    train(small(*options, "+trainer.max_steps=8", run="short"))
    assert train(small(*options, "+trainer.max_steps=10", f"resume={tmp_path / 'short'}", run="short")) == expected
    assert has_same_weights(tmp_path / "long", tmp_path / "short")


def test_resume_of_a_finished_run_keeps_its_metrics(small, tmp_path):
    expected = train(small())
    assert train(small(f"resume={tmp_path / 'run'}")) == expected


def test_resumed_run_is_unfinished_until_it_has_been_tested_again(small, tmp_path):
    train(small("trainer.max_epochs=1"))
    crash = "+callbacks.crash={_target_: crashes.CrashAt, hook: on_test_start, n: 1}"
    with pytest.raises(CrashError):
        train(small("trainer.max_epochs=1", crash, f"resume={tmp_path / 'run'}"))
    assert not is_finished(tmp_path / "run")


@pytest.mark.parametrize(("n", "error"), [(1, UserError), (3, CrashError)])
def test_errors_of_a_resumed_run_are_explained_by_the_checkpoint_before_the_first_step_only(n, error, small, tmp_path):
    train(small("trainer.max_epochs=1"))
    crash = f"+callbacks.crash={{_target_: crashes.CrashAt, hook: on_train_batch_start, n: {n}}}"
    with pytest.raises(error):
        train(small("trainer.max_epochs=2", crash, f"resume={tmp_path / 'run'}"))


def test_resume_after_early_stopping_trains_no_further(small, tmp_path, capsys):
    options = ["callbacks/early_stopping=default", "callbacks.early_stopping.patience=2", "trainer.max_epochs=99"]
    options += ["model.optimizer.lr=1.0", "callbacks=minimal"]
    expected = train(small(*options))
    output = capsys.readouterr().out.replace("\n", "")
    assert "Stopped early: no better val/objective in 2 validations." in output
    assert f"resume={tmp_path / 'run'} ~callbacks.early_stopping" in output
    last = tmp_path / "run/checkpoints/last.ckpt"
    before = torch.load(last, weights_only=True)
    assert 2 <= before["epoch"] < 98
    assert train(small(*options, f"resume={tmp_path / 'run'}")) == expected
    assert torch.load(last, weights_only=True)["images_seen"] == before["images_seen"]
    for change in ("patience=3", "monitor=train/objective"):  # with which it has not stopped
        train(small(*options, f"callbacks.early_stopping.{change}", f"resume={tmp_path / 'run'}"))
        seen = torch.load(last, weights_only=True)["images_seen"]
        assert seen > before["images_seen"]
        before["images_seen"] = seen


def test_early_stopping_of_training_metrics_needs_no_validation(small, capsys):
    options = ["callbacks/early_stopping=default", "callbacks.early_stopping.patience=1", "model.optimizer.lr=1.0"]
    options += [
        "data.val_size=0",
        "monitor=train/objective",
        "+trainer.check_val_every_n_epoch=50",
        "callbacks=minimal",
    ]
    train(small(*options, "trainer.max_epochs=99"))
    output = capsys.readouterr().out
    assert "Stopped early: no better train/objective in 1 epoch." in output
    assert "lowest train/objective" in output


def test_command_after_early_stopping_in_the_last_epoch_raises_the_limit(small, tmp_path, capsys):
    stop = ["callbacks/early_stopping=default", "callbacks.early_stopping.patience=1", "callbacks=minimal"]
    stop += ["+callbacks.early_stopping.min_delta=1e6", "trainer.max_epochs=2"]
    train(small(*stop))
    output = capsys.readouterr().out.replace("\n", "")
    assert output.endswith("~callbacks.early_stopping trainer.max_epochs=4")
    train(small("callbacks=minimal", "trainer.max_epochs=4", f"resume={tmp_path / 'run'}"))
    assert "resuming from epoch 2 with" in (output := capsys.readouterr().out.replace("\n", " "))
    assert "without callbacks.early_stopping" in output


def test_resume_after_early_stopping_within_an_epoch_trains_no_further(small, tmp_path, capsys):
    stop = "+callbacks.stop={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss, min_delta: 1e6}"
    options = [stop, "+callbacks.stop.patience=2", "trainer.max_epochs=9", "~callbacks.collapse"]
    options.append("+trainer.val_check_interval=2")
    expected = train(small(*options))
    assert f"resume={tmp_path / 'run'} ~callbacks.stop" in capsys.readouterr().out.replace("\n", "")
    last = tmp_path / "run/checkpoints/last.ckpt"
    before = torch.load(last, weights_only=True)["images_seen"]
    assert train(small(*options, f"resume={tmp_path / 'run'}")) == expected
    assert "To train further, add ~callbacks.stop" in capsys.readouterr().out
    assert torch.load(last, weights_only=True)["images_seen"] == before
    train(small(*options[2:], f"resume={tmp_path / 'run'}"))
    assert torch.load(last, weights_only=True)["images_seen"] > before


def test_resume_draws_missing_figures(small, tmp_path):
    """Figures are missing if the process was killed after training."""
    few = "callbacks.figures.final=[]"
    train(small(few))
    figures = {file: file.read_bytes() for file in (tmp_path / "run/figures").iterdir()}
    for file in figures:
        file.unlink()
    train(small(few, f"resume={tmp_path / 'run'}"))
    assert {file: file.read_bytes() for file in (tmp_path / "run/figures").iterdir()} == figures


def test_resume_with_a_different_model_or_optimizer_raises(small, tmp_path):
    train(small("trainer.max_epochs=1"))
    for override in ("model.latent_dim=5", "model/likelihood=gaussian", "model/optimizer=adagrad"):
        with pytest.raises(UserError, match=r"last.ckpt has .*, and its weights depend on it\. Leave the option"):
            train(small(f"resume={tmp_path / 'run'}", override, run="other"))
    assert not (tmp_path / "other").exists()


def test_resume_with_another_learning_rate_keeps_that_of_the_discriminator(small, tmp_path):
    schedule = ["model/scheduler=multi_step", "model.scheduler.milestones=[1]", "model.scheduler.gamma=0.1"]
    schedule.append("model=factor_vae")
    train(small(*schedule, "trainer.max_epochs=2"))
    train(small(*schedule, f"resume={tmp_path / 'run'}", "model.optimizer.lr=0.5", "trainer.max_epochs=3"))
    states = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["optimizer_states"]
    before = small(*schedule).model.discriminator_optimizer.lr
    assert [state["param_groups"][0]["lr"] for state in states] == pytest.approx([0.5, 0.1 * before])


@pytest.mark.parametrize("model", ["beta_vae", "factor_vae"])
def test_resume_with_another_learning_rate_and_weight(model, small, tmp_path, capsys):
    optimizers = ["optimizer"] + ["discriminator_optimizer"] * (model == "factor_vae")
    weight = {"beta_vae": "beta", "factor_vae": "gamma"}[model]
    options = [f"model={model}", f"model.{weight}=2", *(f"model.{name}.lr=0.002" for name in optimizers)]
    train(small(*options, "trainer.max_epochs=1"))
    changes = [f"model.{weight}=3", *(f"model.{name}.lr=0.0001" for name in optimizers)]
    train(small(*options, *changes, f"resume={tmp_path / 'run'}", "trainer.precision=bf16-mixed"))
    checkpoint = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert [state["param_groups"][0]["lr"] for state in checkpoint["optimizer_states"]] == [0.0001] * len(optimizers)
    assert checkpoint["config"]["model"][weight] == 3
    (line,) = (tmp_path / "run/.hydra/changes.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "epoch": 1,
        **{f"model.{name}.lr": [0.002, 0.0001] for name in optimizers},
        f"model.{weight}": [2, 3],
        "trainer.max_epochs": [1, 2],
        "trainer.precision": ["32-true", "bf16-mixed"],
    }
    assert "resuming from epoch 1 with model." in capsys.readouterr().out


def test_resume_in_mid_epoch_with_other_batches_raises(small, tmp_path):
    train(small("trainer.max_epochs=1"))
    train(small(f"resume={tmp_path / 'run'}", "data.batch_size=128", "seed=1"))
    every_step = "callbacks.last.every_n_train_steps=1"
    crash = "+callbacks.crash={_target_: crashes.CrashAt, hook: on_train_batch_start, n: 3}"
    with pytest.raises(CrashError):
        train(small(every_step, crash, run="crashed"))
    config = (tmp_path / "crashed/.hydra/config.yaml").read_bytes()
    for change in ("data.batch_size=128", "seed=1"):
        with pytest.raises(UserError, match=rf"^{change}: \S+last.ckpt is from the middle of an epoch, whose other"):
            train(small(every_step, change, f"resume={tmp_path / 'crashed'}", run="crashed"))
    assert (tmp_path / "crashed/.hydra/config.yaml").read_bytes() == config


@pytest.mark.parametrize(
    ("limit", "extended"),
    [
        ("max_steps=3", "max_steps=6"),
        ("max_time={milliseconds: 1}", "max_time={seconds: 1}"),
        ("max_epochs=1", "max_epochs=2"),
    ],
)
def test_summary_shows_how_to_extend_a_run(limit, extended, small, tmp_path, capsys):
    options = [f"+trainer.{limit}" if limit[4] != "e" else f"trainer.{limit}", "callbacks.last.every_n_train_steps=1"]
    train(small(*options))
    assert capsys.readouterr().out.endswith(f"resume={tmp_path / 'run'} trainer.{extended}\n")
    train(small(*options, f"resume={tmp_path / 'run'}"))
    assert f"already trained to its end. To train further, add trainer.{extended}\n" in capsys.readouterr().out


def test_summary_of_a_fast_dev_run_does_not_resume(small, capsys):
    train(small("+trainer.fast_dev_run=true"))
    assert "resume=" not in capsys.readouterr().out


def test_resume_with_fewer_epochs_than_trained_raises(small, tmp_path):
    train(small())
    with pytest.raises(UserError, match=r"trainer.max_epochs=1: .*last.ckpt is from epoch 2\. Set 2 or more"):
        train(small(f"resume={tmp_path / 'run'}", "trainer.max_epochs=1"))


def test_resume_of_a_moved_run_keeps_its_best_checkpoint(small, tmp_path):
    """The monitored metric, β, rises, so the first epoch stays the best."""
    options = ["monitor=train/beta", "callbacks.warmup.epochs=10"]
    first = train(small(*options, "trainer.max_epochs=1", run="here"))
    (tmp_path / "here").rename(tmp_path / "there")
    second = train(small(*options, f"resume={tmp_path / 'there'}", run="there"))
    assert second["train/beta"] > first["train/beta"]
    assert second["test/nelbo"] == first["test/nelbo"]
    assert not (tmp_path / "here").exists()


def test_resume_before_the_end_of_warmup_keeps_beta(small, tmp_path):
    expected = train(small("callbacks.warmup.epochs=10"))
    assert expected["test/beta"] == pytest.approx(0.2)
    assert train(small("callbacks.warmup.epochs=10", f"resume={tmp_path / 'run'}")) == expected


def test_epoch_limited_by_an_option_is_not_resumed_midway(small, tmp_path):
    short = "+trainer.limit_train_batches=3"
    expected = train(small(short, run="uninterrupted"))
    train(small(short, "trainer.max_epochs=1", run="resumed"))
    assert train(small(short, f"resume={tmp_path / 'resumed'}", run="resumed")) == expected


def test_resume_from_a_damaged_checkpoint_raises(small, tmp_path):
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes(b"PK" + bytes(1000))
    with pytest.raises(UserError, match=r"damaged.ckpt: cannot be read as a checkpoint"):
        train(small(f"resume={damaged}"))


def test_new_run_does_not_overwrite_another(small, tmp_path):
    train(small("trainer.max_epochs=1", "logger=none"))
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    before = last.read_bytes()
    for name in ("last.ckpt", "previous.ckpt"):
        last = last.rename(last.with_name(name))
        with pytest.raises(UserError, match=r"^run_dir=\S+: already has the checkpoints of a run\. Set resume to this"):
            train(small("trainer.max_epochs=1", "logger=none", "model.latent_dim=2"))
        assert last.read_bytes() == before


@pytest.mark.parametrize("change", ["data=sprites", "data.binarize=dynamic", "data.split_seed=1"])
def test_resume_with_other_images_raises(change, small, tmp_path):
    train(small("trainer.max_epochs=1", "logger=none"))
    extra = ["data.image_shape=[1,8,8]"] if change == "data=sprites" else []
    with pytest.raises(UserError, match=r"^data\.\S+: .* was trained with .* start a new run from its weights"):
        changed_options(
            read_config(tmp_path / "run"),
            OmegaConf.to_container(small(change, *extra), resolve=True),
            tmp_path / "run",
        )


def test_changed_images_are_rejected_by_resume_and_reported_by_evaluation(small, tmp_path, caplog):
    photos = tmp_path / "photos"
    photos.mkdir()
    for n in range(20):
        Image.fromarray(np.full((8, 8), n, np.uint8)).save(photos / f"{n}.png")
    options = ["data=image_folder", f"data.root={photos}", "data.image_shape=[1,8,8]", "data.val_fraction=0.2"]
    options += ["callbacks=minimal", "logger=none", f"resume={tmp_path / 'run'}"]
    train(small(*options[:-1], "trainer.max_epochs=1"))
    os.utime(photos / "0.png")  # as in a copy
    train(small(*options, "trainer.max_epochs=2"))
    before = load_run(tmp_path / "run").data.splits
    assert not caplog.records
    Image.fromarray(np.full((8, 8), 20, np.uint8)).save(photos / "20.png")
    after = load_run(tmp_path / "run").data.splits
    assert np.isin(after["test"].x[:, 0, 0, 0], before["train"].x[:, 0, 0, 0]).any()
    assert "have changed since the model was trained" in caplog.text
    with pytest.raises(UserError, match=r"^data.root=\S+: the images have changed .* init_from=\S+run trains further"):
        train(small(*options, "trainer.max_epochs=3"))
    last = tmp_path / "run/checkpoints/last.ckpt"
    older = torch.load(last, weights_only=True)
    del older["data_identity"]
    torch.save(older, last)
    train(small(*options, "trainer.max_epochs=3"))
