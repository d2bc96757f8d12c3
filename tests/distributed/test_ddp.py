"""A process that is killed: the others end as well, soon, with one line that says so; nobody is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from test_equal_runs import COMMON, DDP, QUIET, type_command


def kill_at(rank: int) -> str:
    target = "_target_: signal_one.SignalAt, hook: on_train_batch_start"
    return f"+callbacks.kill={{{target}, n: 14, signum: {int(signal.SIGKILL)}, rank: {rank}}}"


def processes_of(folder: Path) -> list[str]:
    """The commands of the processes that work in a folder."""
    listed = subprocess.run(["ps", "-eo", "pid"], capture_output=True, text=True, check=True).stdout.split()[1:]
    found = []
    for pid in listed:
        try:
            if Path(f"/proc/{pid}/cwd").readlink() == folder and int(pid) != os.getpid():
                found.append(Path(f"/proc/{pid}/cmdline").read_text())
        except OSError:  # it has ended meanwhile
            continue
    return found


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_a_job_that_loses_a_process_has_failed_and_the_next_one_is_run(tmp_path):
    options = [*COMMON, *QUIET, *DDP, "data.batch_size=64", "trainer.max_epochs=2", "sweep=study"]
    done = type_command(tmp_path, "-m", "seed=0,1", *options, kill_at(rank=1))
    assert done.returncode == 1
    lost = "process 1 of 2 was killed by SIGKILL; go on from the last checkpoint: python train.py resume="
    (failure,) = tmp_path.glob("runs/sweeps/study/*/failure.txt")
    assert "- seed=0\n" in (failure.parent / ".hydra" / "overrides.yaml").read_text()
    assert failure.read_text().startswith(lost)
    assert done.stderr.count(lost) == 2  # when it happens, and at the end of the sweep
    assert "Traceback" not in done.stderr
    (finished,) = tmp_path.glob("runs/sweeps/study/*/metrics.json")
    assert "- seed=1\n" in (finished.parent / ".hydra" / "overrides.yaml").read_text()
    assert processes_of(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")
def test_nobody_outlives_the_first_process(tmp_path):
    command = [sys.executable, str(ROOT / "train.py"), *COMMON, *QUIET, *DDP, "data.batch_size=64", kill_at(rank=0)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _, said = process.communicate(timeout=300)  # until the last process has closed it
    assert process.returncode == -signal.SIGKILL
    assert said.count("error: process 0 of 2 is gone; go on from the last checkpoint: python train.py resume=") == 1
    assert "Traceback" not in said
