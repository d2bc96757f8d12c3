"""Tests of Ctrl-C and SIGTERM: the run writes a checkpoint and stops, and resumes to bit-identical weights."""

import os
import signal
from types import SimpleNamespace

import lightning as L
import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from vae_lightning.callbacks import GracefulShutdown
from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.io.shell import train_command
from vae_lightning.training.train import train

QUICK = ["~callbacks.figures", "logger=none", "callbacks.warmup.steps=7"]  # 2 epochs of 5 batches


class SignalAt(L.Callback):
    """Sends this process a signal when a hook is called for the n-th time."""

    def __init__(self, hook: str, n: int, signum: int, times: int = 1) -> None:
        self.n, self.signum, self.times = n, signum, times
        setattr(self, hook, self.count)

    def count(self, *_) -> None:
        self.n -= 1
        if self.n == 0:
            for _ in range(self.times):
                os.kill(os.getpid(), self.signum)


def signal_at(hook: str, n: int, signum: int = signal.SIGTERM, times: int = 1) -> str:
    return (
        f"+callbacks.signal={{_target_: test_graceful_shutdown.SignalAt, hook: {hook}, n: {n}, signum: {int(signum)},"
        f" times: {times}}}"
    )


BATCHES = {  # hook in which the signal arrives, and its call -> number of batches in the checkpoint
    ("on_train_epoch_start", 1): 1,
    ("on_train_batch_start", 1): 1,
    ("on_train_batch_end", 3): 3,
    ("on_train_batch_start", 5): 5,  # the last batch of an epoch: stops after the validation
    ("on_validation_start", 1): 5,
    ("on_train_epoch_end", 1): 5,
    ("on_train_epoch_start", 2): 5,
    ("on_train_batch_start", 8): 8,
    ("on_validation_start", 2): 10,
    ("on_test_start", 1): 10,
}


def test_signal_while_the_metrics_of_an_epoch_are_logged(small, monkeypatch):
    class Signals(SummaryWriter):
        def add_scalar(self, *args, **kwargs):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", Signals)
    with pytest.raises(SystemExit) as exited:
        train(small("~callbacks.figures"))
    assert exited.value.code == 130


@pytest.mark.parametrize("model", ["vae", "factor_vae"])
def test_an_interrupted_run_resumes_to_the_same_weights(model, small, tmp_path):
    options = [*QUICK, f"model={model}"]
    expected = train(small(*options, run="uninterrupted"))
    weights = load_verified(tmp_path / "uninterrupted/checkpoints/last.ckpt")["state_dict"]
    points = BATCHES if model == "vae" else [("on_train_batch_start", 8)]
    for hook, n in points:
        run = f"{hook}-{n}"
        with pytest.raises(SystemExit) as stopped:
            train(small(*options, signal_at(hook, n), run=run))
        assert stopped.value.code == 143
        last = tmp_path / run / "checkpoints" / "last.ckpt"
        progress = load_verified(last)["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]
        assert progress["ready"] == BATCHES[hook, n], run
        assert train(small(*options, f"resume={tmp_path / run}", run=run)) == expected, run
        resumed = load_verified(last)["state_dict"]
        assert all(torch.equal(resumed[name], weights[name]) for name in weights), run
        assert not list(last.parent.glob(".*"))


def test_an_interrupted_run_has_no_gradients_to_lose(small, tmp_path):
    """With gradient accumulation, it stops after a step of the optimizer."""
    options = [*QUICK, "+trainer.accumulate_grad_batches=2"]
    expected = train(small(*options, run="uninterrupted"))
    with pytest.raises(SystemExit):
        train(small(*options, signal_at("on_train_batch_start", 3)))
    progress = load_verified(tmp_path / "run/checkpoints/last.ckpt")["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    assert progress["total"]["ready"] == 4
    assert train(small(*options, f"resume={tmp_path / 'run'}")) == expected


def test_a_step_that_has_been_saved_is_not_saved_again(small, tmp_path):
    """Otherwise the previous checkpoint would be that of the same step."""
    with pytest.raises(SystemExit):
        train(small(*QUICK, signal_at("on_validation_start", 2)))
    steps = [load_verified(tmp_path / f"run/checkpoints/{name}.ckpt")["global_step"] for name in ("previous", "last")]
    assert steps == [5, 10]


def test_ctrl_c_has_its_own_exit_code_and_a_second_one_stops_immediately(small, tmp_path, capsys):
    for times, is_written in ((1, True), (2, False)):
        at = signal_at("on_train_batch_start", 2, signal.SIGINT, times)
        with pytest.raises(SystemExit) as stopped:
            train(small(*QUICK, at, run=f"{times}"))
        assert stopped.value.code == 130
        assert (tmp_path / f"{times}" / "checkpoints" / "last.ckpt").is_file() == is_written
        message = capsys.readouterr().out.splitlines()[-1]
        expected = f"interrupted. Resume with {train_command()} resume=" if is_written else "interrupted before"
        assert message.startswith(expected)


def test_signal_handlers_are_restored(small):
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(SystemExit):
        train(small(*QUICK, signal_at("on_train_batch_start", 2)))
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(
    ("processes", "device", "expected"), [(1, "cuda", range(1, 10)), (2, "cpu", range(1, 10)), (2, "cuda", [4, 8])]
)
def test_several_gpus_exchange_signals_only_every_few_batches(processes, device, expected, monkeypatch):
    """They do not after the last of ten batches, since the end of the epoch follows."""
    checked = []
    monkeypatch.setattr(GracefulShutdown, "stop_if_signaled", lambda self, trainer: checked.append(batch_idx + 1))
    progress = SimpleNamespace(is_last_batch=False)
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    trainer = SimpleNamespace(world_size=processes, log_every_n_steps=4, accumulate_grad_batches=1, fit_loop=loop)
    module = SimpleNamespace(device=torch.device(device))
    for batch_idx in range(10):
        progress.is_last_batch = batch_idx == 9
        GracefulShutdown().on_train_batch_end(trainer, module, None, None, batch_idx)
    assert checked == list(expected)
