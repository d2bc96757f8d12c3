"""Runs killed at random moments and started again: do they end with the bits of a run that nothing happened to?

    python benchmarks/faults.py                            # 52 kills over four models: 5 minutes on one core
    python benchmarks/faults.py --kills 200 --seed 1 --markdown killed.md
    python benchmarks/faults.py --models vae --kills 5 --whole-process     # a Python of its own each time, 10 s a start

Each run is the command `python train.py ... resume=auto`, killed with SIGKILL and typed again until it ends, in a
folder of its own. By default it is forked from a process that has imported everything, which saves the imports of
each start. The moments are drawn from the whole run; after half of them the kill waits for one of the phases that are
short: a checkpoint being written, a batch, a validation, the test. The phase is read from the stack, which the process
writes on SIGUSR1, just before the kill.

What is compared, `same_runs.py` says.
"""

import argparse
import faulthandler
import importlib
import os
import random
import runpy
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from same_runs import differences, run_dir

from vae_lightning.checkpoint_files import load_whole

ROOT = Path(__file__).parents[1]
MODELS = {
    "vae": [],
    "beta_tcvae": ["data.binarize=dynamic"],
    "factor_vae": ["model.discriminator_dims=[16]"],  # two optimisers
    "vq_vae": ["model.latent_dim=4"],  # a codebook that follows by moving averages
}
OPTIONS = [  # 5 epochs of 20 batches, of which the early stopping leaves 3; a checkpoint every 2 or 4 batches
    "name=killed",
    "data.image_shape=[1,8,8]",
    "data.batch_size=64",
    "model/network=mlp",
    "model.network.hidden_dims=[16]",
    "model.latent_dim=3",
    "trainer=cpu",
    "trainer.max_epochs=5",
    "~callbacks.progress_bar",
    "trainer.enable_progress_bar=false",
    "callbacks.warmup.steps=50",
    "callbacks.last.every_n_train_steps=4",
    "callbacks.figures.every_n_epochs=1",
    "callbacks.figures.at_end=[training_curves,latent_space,traversals,traversals_animation]",
    "+callbacks.stop={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/objective, min_delta: 1000,"
    " patience: 2}",
]
PHASES = {  # by functions on the stack, from the innermost out: the first that is there names the phase
    "checkpoint": ("sealed", "save_checkpoint", "save_now", "_save_topk_checkpoint"),
    "figures": ("draw", "write_projection"),
    "test": ("_test_impl",),
    "validation": ("on_validation_end", "validation_step", "on_validation_start", "on_validation_epoch_end"),
    "batch": ("training_step", "optimizer_step", "run_optimization", "_training_step"),
    "between batches": ("fit",),
}
AIMED = ("checkpoint", "test", "validation", "batch", "between batches")
STACK = "stack.txt"


@dataclass
class Killed:
    """One run that was killed, perhaps several times, and started again until it ended.

    Attributes:
        model: its name.
        phases: in which it died, one a kill.
        resumed: the batches that each resumed process began with; 0 for a new start.
        differences: what is not as in the unbroken run.
    """

    model: str
    phases: list[str] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


# ---------------------------------------------------------------- processes


def start(arguments: list[str], folder: Path, whole_process: bool) -> int:
    """Start a run in a folder; return the process's id."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STACK).write_text("")
    if pid := os.fork():
        return pid
    try:
        os.chdir(folder)
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if whole_process:
            os.execv(sys.executable, [sys.executable, str(Path(__file__).absolute()), "--run", *arguments])
        os._exit(run(arguments))
    finally:
        os._exit(70)


def run(arguments: list[str]) -> int:
    """`python train.py ...` in this process; return its exit code."""
    stack = Path(STACK).open("a")  # noqa: SIM115 - until the end
    signal.signal(signal.SIGUSR1, lambda *_: faulthandler.dump_traceback(stack, all_threads=False))
    sys.argv = [str(ROOT / "train.py"), *arguments]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def phase(pid: int, folder: Path) -> str:
    """What a process is doing, "" when it has ended."""
    stack = folder / STACK
    before = stack.stat().st_size
    os.kill(pid, signal.SIGUSR1)
    for _ in range(200):
        time.sleep(0.0005)
        if stack.stat().st_size > before:
            break
        if ended(pid):
            return ""
    text = stack.read_bytes()[before:].decode()
    names = {line.rpartition(" in ")[2] for line in text.splitlines()}
    return next((name for name, functions in PHASES.items() if names & {*functions}), "start or end")


def ended(pid: int) -> bool:
    """Whether a child has ended; it stays to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill(pid: int, folder: Path, moment: float, aim: str | None) -> str:
    """Kill a process some seconds after its start, or from then on in a phase; return the phase, "" if it ended."""
    until = time.monotonic() + moment
    while time.monotonic() < until:
        if ended(pid):
            return ""
        time.sleep(0.002)
    if not handles_signals(pid):
        now = "start or end"
    else:
        now = phase(pid, folder)
        while aim and now and now != aim:
            time.sleep(0.001)
            now = phase(pid, folder)
    if now:
        os.kill(pid, signal.SIGKILL)
    return now


def handles_signals(pid: int) -> bool:
    """Whether a process has come so far as to catch SIGUSR1, which would end it before."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGUSR1 - 1) & 1)


def wait(pid: int) -> int:
    """Wait for a process; return its exit code, minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# ---------------------------------------------------------------- one run


def unbroken(model: str, folder: Path, whole_process: bool) -> float:
    """Run once, undisturbed; return the seconds."""
    begin = time.monotonic()
    if code := wait(start(typed(model), folder, whole_process)):
        sys.exit(f"{model}: the unbroken run ended with {code}: {(folder / 'output.txt').read_text()}")
    return time.monotonic() - begin


def killed(model: str, folder: Path, moments: list[tuple[float, str | None]], whole_process: bool) -> Killed:
    """Run, kill at each of the moments, start again until it ends."""
    result = Killed(model)
    code = -signal.SIGKILL
    while code in (-signal.SIGKILL, -signal.SIGUSR1):
        if result.phases:
            result.resumed.append(batches(folder))
        pid = start([*typed(model), "resume=auto"], folder, whole_process)
        if moments and (now := kill(pid, folder, *moments.pop(0))):
            result.phases.append(now)
        code = wait(pid)
        if code == -signal.SIGUSR1:  # it came when Python, at its end, had let go of the handler
            result.phases.append("start or end")
    if code:
        result.differences.append(f"exit code {code}")
    return result


def typed(model: str) -> list[str]:
    """The options of a run."""
    return [f"model={model}", *OPTIONS, *MODELS[model]]


def batches(folder: Path) -> int:
    """How many batches the checkpoint that a run goes on from has seen; 0 where there is none."""
    found = run_dir(folder)
    for name in ("last", "previous"):
        if found and (path := found / "checkpoints" / f"{name}.ckpt").is_file():
            return load_whole(path)["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["ready"]
    return 0


# ---------------------------------------------------------------- the table


def table(runs: list[Killed]) -> list[list[str]]:
    """A row a model, and one for all: kills by phase, starts anew, differences."""
    rows = []
    for model in [*dict.fromkeys(run.model for run in runs), "all"]:
        of_model = [run for run in runs if model in (run.model, "all")]
        phases = Counter(name for run in of_model for name in run.phases)
        resumed = [n for run in of_model for n in run.resumed]
        counts = [str(phases[name]) for name in (*PHASES, "start or end")]
        begun = f"{sum(n == 0 for n in resumed)} / {sum(n > 0 for n in resumed)}"
        different = sum(bool(run.differences) for run in of_model)
        rows.append([model, str(len(of_model)), str(sum(phases.values())), *counts, begun, str(different)])
    return rows


HEADER = ["model", "runs", "kills", *PHASES, "start or end", "new / resumed", "different"]


def markdown(rows: list[list[str]]) -> str:
    """The table as Markdown."""
    lines = [HEADER, ["---", *["---:"] * (len(HEADER) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Kill, compare, print the table; exit with code 1 when anything is different."""
    if sys.argv[1:2] == ["--run"]:
        sys.exit(run(sys.argv[2:]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=52, help="kill points, over all models")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--whole-process", action="store_true", help="start a new Python each time")
    parser.add_argument("--folder", type=Path, help="keep the runs there")
    parser.add_argument("--markdown", type=Path, help="write the table there, too")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not args.whole_process:
        import_everything()

    console, random_moment, runs = Console(highlight=False, soft_wrap=True), random.Random(args.seed), []
    with tempfile.TemporaryDirectory() as scratch:
        root = (args.folder or Path(scratch)).resolve()
        seconds = {model: unbroken(model, root / model, args.whole_process) for model in args.models}
        while (done := sum(len(run.phases) for run in runs)) < args.kills:
            model = args.models[len(runs) % len(args.models)]
            moments = [
                (random_moment.uniform(0, 0.9 * seconds[model]), random_moment.choice([None] * len(AIMED) + [*AIMED]))
                for _ in range(min(random_moment.choice([1, 1, 1, 3]), args.kills - done))
            ]
            folder = root / f"{len(runs)}-{model}"
            result = killed(model, folder, moments, args.whole_process)
            result.differences += differences(root / model, folder)
            runs.append(result)
            story = ", ".join(f"{p} -> {n}" for p, n in zip(result.phases, result.resumed, strict=True))
            console.print(f"{len(runs):3} {model}: {story}: {'; '.join(result.differences) or 'the same'}")
            if result.differences:
                console.print((folder / "output.txt").read_text()[-2000:], markup=False)
    shown = Table(*HEADER)
    for row in table(runs):
        shown.add_row(*row)
    console.print(shown)
    if args.markdown:
        args.markdown.write_text(markdown(table(runs)))
    sys.exit(int(any(run.differences for run in runs)))


def import_everything() -> None:
    """What each run imports, before it is forked; no thread is started, which a fork would lose."""
    for name in ("vae_lightning.train", "sklearn.datasets", "sklearn.manifold", "sklearn.model_selection"):
        importlib.import_module(name)


if __name__ == "__main__":
    main()
