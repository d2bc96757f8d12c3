"""Tests that a job preempted by a cluster writes a checkpoint before it is requeued."""

import signal

import pytest
from crashes import CrashError

from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.training.train import train

TERM, USR2 = signal.SIGTERM, signal.SIGUSR2
QUICK = ["~callbacks.figures", "logger=none"]  # 2 epochs of 5 batches


def signals_at(hook: str, n: int, *signums: int) -> str:
    numbers = list(map(int, signums))
    return f"+callbacks.signals={{_target_: sweep_callbacks.SignalsAt, hook: {hook}, n: {n}, signums: {numbers}}}"


def trained_batches(run_dir) -> int:
    loops = load_verified(run_dir / "checkpoints" / "last.ckpt")["loops"]
    return loops["fit_loop"]["epoch_loop.batch_progress"]["total"]["ready"]


@pytest.fixture
def launcher(monkeypatch):
    """Install a signal handler like that of submitit, and return the list of signals that it receives."""
    received = []

    def handler(signum, frame):
        received.append(signum)
        raise SystemExit("requeued")

    before = signal.signal(USR2, handler)
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "slurm")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    yield received
    signal.signal(USR2, before)


@pytest.mark.parametrize("signals", [[USR2], [TERM, USR2], [USR2, TERM], [USR2, USR2]])
def test_launcher_receives_the_signal_after_the_checkpoint_is_written(signals, launcher, small, tmp_path):
    with pytest.raises(SystemExit, match="requeued"):
        train(small(*QUICK, signals_at("on_train_batch_start", 3, *signals)))
    assert launcher == [USR2]
    assert trained_batches(tmp_path / "run") == 3


def test_launcher_receives_the_signal_even_if_another_one_stops_the_run_immediately(launcher, small):
    with pytest.raises(SystemExit, match="requeued"):
        train(small(*QUICK, signals_at("on_train_batch_start", 3, USR2, TERM, TERM)))
    assert launcher == [USR2]


def test_launcher_receives_the_signal_immediately_outside_of_training(launcher, small):
    with pytest.raises(SystemExit, match="requeued"):
        train(small(*QUICK, signals_at("on_test_start", 1, USR2)))
    assert launcher == [USR2]


def test_sigterm_from_slurm_writes_a_checkpoint_and_training_continues(launcher, small, tmp_path):
    """SLURM would consider a job that exits by itself completed, and would not requeue it."""
    expected = train(small(*QUICK, run="uninterrupted"))
    crash = "+callbacks.crash={_target_: crashes.CrashAt, hook: on_train_batch_start, n: 4}"
    with pytest.raises(CrashError):
        train(small(*QUICK, signals_at("on_train_batch_start", 2, TERM), crash, run="killed"))
    assert trained_batches(tmp_path / "killed") == 2
    assert train(small(*QUICK, signals_at("on_train_batch_start", 2, TERM))) == expected
    assert train(small(*QUICK, signals_at("on_test_start", 1, TERM), run="test")) == expected
    assert launcher == []


def test_sigusr2_handler_is_unchanged_without_a_launcher(small):
    received = []
    before = signal.signal(USR2, lambda *_: received.append(USR2))
    try:
        train(small(*QUICK, signals_at("on_train_batch_start", 2, USR2)))
    finally:
        signal.signal(USR2, before)
    assert received == [USR2]
