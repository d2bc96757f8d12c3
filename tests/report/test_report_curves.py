"""Curves read from TensorBoard files, and their means."""

import os

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from vae_lightning.report.curves import mean_curve, read_curves
from vae_lightning.training.train import train


def test_curves_use_the_values_logged_last(tmp_path):
    for value in (1.0, 2.0):  # a run that was interrupted and resumed
        with SummaryWriter(str(tmp_path), filename_suffix=str(value)) as writer:
            writer.add_scalar("val/nelbo", value, 100)
            writer.add_scalar("other/tag", value, 100)
    assert read_curves(tmp_path) == {"val/nelbo": {100: 2.0}}


def test_curves_are_those_of_tensorboard(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        for step in (3, 1, 2):
            writer.add_scalar("train/nelbo", step / 7, step)
            writer.add_image("train/nelbo_image", np.zeros((3, 40, 40)), step)
            writer.add_histogram("train/rate", np.arange(10.0), step)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert read_curves(tmp_path) == {"train/nelbo": {e.step: e.value for e in events.Scalars("train/nelbo")}}
    assert list(read_curves(tmp_path)["train/nelbo"]) == [1, 2, 3]


@pytest.mark.parametrize("size", [0, 5, 60, 150])
def test_curves_of_an_incomplete_file_end_early(tmp_path, size):
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(5):
            writer.add_scalar("val/rate", 1.0, step)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:size])
    curve = read_curves(tmp_path).get("val/rate", {})
    assert list(curve) == list(range(len(curve)))
    assert len(curve) < 5


def test_files_that_cannot_be_read_have_no_curves(tmp_path):
    (tmp_path / "events.out.tfevents.1").write_bytes(b"\x08" + b"\0" * 11 + b"\xff" * 20)
    os.mkfifo(tmp_path / "events.out.tfevents.2")
    (tmp_path / "events.out.tfevents.4").write_bytes(b"\xff" * 20)
    (tmp_path / "events.out.tfevents.3").symlink_to("/etc/passwd")
    assert read_curves(tmp_path) == {}


def test_mean_curve_has_the_points_that_all_curves_share():
    assert mean_curve([{1: 2.0, 2: 3.0}, {1: 4.0}]) == {1: 3.0}
    assert mean_curve([]) == {}


def test_curves_of_a_csv_file_are_those_of_tensorboard(small, tmp_path):
    train(small("logger=[csv,tensorboard]"))
    run = tmp_path / "run"
    expected = read_curves(run)
    for file in run.glob("events.out.tfevents.*"):
        file.unlink()
    curves = read_curves(run)
    assert curves.keys() == expected.keys()
    for tag, curve in expected.items():
        assert curves[tag] == pytest.approx(curve)
    (run / "metrics.csv").write_text("step,train/nelbo\n,3.0\n")
    assert read_curves(run) == {}
