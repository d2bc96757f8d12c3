"""Tests that all processes end soon, with a one-line error, after one of them has been killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT
from test_equal_runs import COMMON, DDP, QUIET, run_train

from vae_lightning.distributed.ddp import WatchdogLauncher
from vae_lightning.errors import UserError

RESUME = "Resume from the last checkpoint with python train.py 'trust=[signal_one]' resume="


def kill_at(rank: int) -> str:
    """Return the override that kills a process in its 14th training batch."""
    target = "_target_: signal_one.SignalAt, hook: on_train_batch_start"
    return f"+callbacks.kill={{{target}, n: 14, signum: {int(signal.SIGKILL)}, rank: {rank}}}"


def processes_in(folder: Path) -> list[str]:
    """Return the commands of the processes whose current directory is a folder."""
    listed = subprocess.run(["ps", "-eo", "pid"], capture_output=True, text=True, check=True).stdout.split()[1:]
    commands = []
    for pid in listed:
        try:
            if Path(f"/proc/{pid}/cwd").readlink() == folder and int(pid) != os.getpid():
                commands.append(Path(f"/proc/{pid}/cmdline").read_text())
        except OSError:  # it has ended in the meantime
            continue
    return commands


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_sweep_continues_after_a_job_whose_process_was_killed(tmp_path):
    options = [*COMMON, *QUIET, *DDP, "data.batch_size=64", "trainer.max_epochs=2", "sweep=study"]
    done = run_train(tmp_path, "-m", "seed=0,1", *options, kill_at(rank=1))
    assert done.returncode == 1
    error = f"process 1 of 2 was killed by SIGKILL. {RESUME}"
    (failure,) = tmp_path.glob("runs/sweeps/study/*/failure.txt")
    assert "- seed=0\n" in (failure.parent / ".hydra" / "overrides.yaml").read_text()
    assert failure.read_text().startswith(error)
    assert done.stderr.count(error) == 2  # when it happens, and at the end of the sweep
    assert "Traceback" not in done.stderr
    (finished,) = tmp_path.glob("runs/sweeps/study/*/metrics.json")
    assert "- seed=1\n" in (finished.parent / ".hydra" / "overrides.yaml").read_text()
    assert processes_in(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_no_process_outlives_process_0(tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), *COMMON, *QUIET, *DDP, "data.batch_size=64", kill_at(rank=0)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _, stderr = process.communicate(timeout=300)  # until the last process has closed it
    assert process.returncode == -signal.SIGKILL
    error = f"error: process 0 of 2 is gone. {RESUME}"
    assert stderr.count(error) == 1
    assert "Traceback" not in stderr


class Ended:
    """A process that has ended with an error."""

    def poll(self):
        return 1

    def kill(self):
        pass

    wait = kill


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("training diverged"), r"^training diverged$"),
        (RuntimeError("connection reset"), r"^process 1 of 2 ended with code 1\. No checkpoint had been written\."),
    ],
)
def test_end_of_another_process_does_not_hide_an_error_that_both_have(error, message, tmp_path, monkeypatch):
    def fail():
        raise error

    monkeypatch.setattr("vae_lightning.distributed.ddp._set_num_threads_if_needed", lambda processes: None)
    environment = SimpleNamespace(validate_settings=lambda **_: None, creates_processes_externally=True)
    launcher = WatchdogLauncher(environment, 2, 1)
    launcher.procs = [Ended()]
    with pytest.raises(UserError, match=message):
        launcher.launch(fail, trainer=SimpleNamespace(default_root_dir=tmp_path))
