"""What a cluster says before it takes the machine away: the checkpoint is there when the job is started again."""

import signal

import pytest
from crashes import CrashError

from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.training.train import train

TERM, USR2 = signal.SIGTERM, signal.SIGUSR2
QUICK = ["~callbacks.figures", "logger=none"]  # 2 epochs of 5 batches


def signals_at(hook: str, n: int, *signums: int) -> str:
    numbers = list(map(int, signums))
    return f"+callbacks.signals={{_target_: witnesses.SignalsAt, hook: {hook}, n: {n}, signums: {numbers}}}"


def batches_in(folder) -> int:
    loops = load_verified(folder / "checkpoints" / "last.ckpt")["loops"]
    return loops["fit_loop"]["epoch_loop.batch_progress"]["total"]["ready"]


@pytest.fixture
def launcher(monkeypatch):
    """submitit, that is a handler of its signal: what it has received."""
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
def test_the_launcher_is_told_once_the_checkpoint_is_there(signals, launcher, small, tmp_path):
    with pytest.raises(SystemExit, match="requeued"):
        train(small(*QUICK, signals_at("on_train_batch_start", 3, *signals)))
    assert launcher == [USR2]
    assert batches_in(tmp_path / "run") == 3


def test_outside_of_training_the_launcher_is_told_at_once(launcher, small):
    with pytest.raises(SystemExit, match="requeued"):
        train(small(*QUICK, signals_at("on_test_start", 1, USR2)))
    assert launcher == [USR2]


def test_slurms_sigterm_saves_and_the_run_goes_on(launcher, small, tmp_path):
    """SLURM would take a job that ends by itself for done, and not start it again."""
    expected = train(small(*QUICK, run="unbroken"))
    crash = "+callbacks.crash={_target_: crashes.CrashAt, hook: on_train_batch_start, n: 4}"
    with pytest.raises(CrashError):
        train(small(*QUICK, signals_at("on_train_batch_start", 2, TERM), crash, run="killed"))
    assert batches_in(tmp_path / "killed") == 2
    assert train(small(*QUICK, signals_at("on_train_batch_start", 2, TERM))) == expected
    assert train(small(*QUICK, signals_at("on_test_start", 1, TERM), run="test")) == expected
    assert launcher == []


def test_without_a_launcher_its_signal_is_no_concern_of_ours(small):
    received = []
    before = signal.signal(USR2, lambda *_: received.append(USR2))
    try:
        train(small(*QUICK, signals_at("on_train_batch_start", 2, USR2)))
    finally:
        signal.signal(USR2, before)
    assert received == [USR2]
