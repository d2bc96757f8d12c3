"""Kill runs at random moments, resume them, and check that they are bitwise equal to an uninterrupted run.

    python benchmarks/faults.py                            # 52 kills over four models: 5 minutes on one core
    python benchmarks/faults.py --models all --variants all --kills 80              # 20 minutes
    python benchmarks/faults.py --kills 200 --seed 1 --markdown killed.md
    python benchmarks/faults.py --models vae --kills 5 --whole-process     # start Python each time, 10 s per start

Each run is the command `python train.py ... resume=auto` in a new directory. It is killed with SIGKILL and restarted
until it ends. By default it is forked from a process that has imported everything, which saves the imports of each
start. The moments are drawn from the whole run. For half of them, the kill then waits for one of the short phases: a
checkpoint being written, a batch, a validation, the test. The phase is read from the stack trace that the process
writes on SIGUSR1, just before the kill.

`same_runs.py` describes what is compared.
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

from vae_lightning.callbacks import Checkpoint, Figures
from vae_lightning.callbacks.embedding_projector import write_projection
from vae_lightning.checkpointing.checkpoint_io import AtomicCheckpointIO, load_verified, serialize_with_checksum

ROOT = Path(__file__).parents[1]
MODELS = {
    "vae": [],
    "beta_tcvae": ["data.binarize=dynamic"],
    "factor_vae": ["model.discriminator_dims=[16]"],  # two optimizers
    "vq_vae": ["model.latent_dim=4"],  # a codebook updated by moving averages
    "hvae": [],
    "vae_gan": [],
    "info_vae": [],
    "vamp_vae": ["model.prior.num_components=8"],
    "iwae": [],
    "geco_vae": [],  # a multiplier in buffers
    "piwae": ["model.gradient=dreg"],
}
DEFAULT_MODELS = ["vae", "beta_tcvae", "factor_vae", "vq_vae"]
TWO_OPTIMIZERS = ("factor_vae", "vae_gan")
VARIANTS = {
    "default": [],
    "accumulate": ["trainer.accumulate_grad_batches=2"],  # not for models with two optimizers
    "bf16": ["trainer.precision=bf16-mixed"],
    "val_interval": ["trainer.val_check_interval=0.5"],
    "dynamic": ["data.binarize=dynamic"],
}
OPTIONS = [  # 5 epochs of 20 batches, 3 after early stopping; a checkpoint every 2 or 4 batches
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
    "callbacks.figures.final=[training_curves,latent_space,traversals,traversals_animation]",
    "+callbacks.stop={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/objective, min_delta: 1000,"
    " patience: 2}",
]
PHASES = {  # phase -> functions that are on the stack during it; the first phase that matches counts
    "checkpoint": (
        serialize_with_checksum.__name__,
        AtomicCheckpointIO.save_checkpoint.__name__,
        Checkpoint.save_now.__name__,
        "_save_topk_checkpoint",
    ),
    "figures": (Figures.draw.__name__, write_projection.__name__),
    "test": ("_test_impl",),
    "validation": ("on_validation_end", "validation_step", "on_validation_start", "on_validation_epoch_end"),
    "batch": ("training_step", "optimizer_step", "run_optimization", "_training_step"),
    "between batches": ("fit",),
}
TARGET_PHASES = ("checkpoint", "test", "validation", "batch", "between batches")
START_OR_END = "start or end"
STACK_FILE = "stack.txt"


@dataclass
class KilledRun:
    """A run that was killed one or more times, and started again until it ended.

    Attributes:
        case: the model and, unless it is `default`, the variant.
        phases: the phase of each kill.
        resumed: for each restart, the number of batches that its checkpoint has seen; 0 for a new start.
        differences: differences from the uninterrupted run.
    """

    case: str
    phases: list[str] = field(default_factory=list)
    resumed: list[int] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


# ---------------------------------------------------------------- processes


def start(arguments: list[str], folder: Path, whole_process: bool) -> int:
    """Start a run in a directory; return the process id."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STACK_FILE).write_text("")
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
    """Run `python train.py ...` in this process; return its exit code."""
    stack = Path(STACK_FILE).open("a")  # noqa: SIM115 - open until the process ends
    signal.signal(signal.SIGUSR1, lambda *_: faulthandler.dump_traceback(stack, all_threads=False))
    sys.argv = [str(ROOT / "train.py"), *arguments]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as exit_:
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
        return exit_.code if isinstance(exit_.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def current_phase(pid: int, folder: Path) -> str:
    """Return the phase that a process is in, or "" if it has ended."""
    stack = folder / STACK_FILE
    size = stack.stat().st_size
    os.kill(pid, signal.SIGUSR1)
    for _ in range(200):
        time.sleep(0.0005)
        if stack.stat().st_size > size:
            break
        if has_ended(pid):
            return ""
    text = stack.read_bytes()[size:].decode()
    on_stack = {line.rpartition(" in ")[2] for line in text.splitlines()}
    return next((phase for phase, functions in PHASES.items() if on_stack & {*functions}), START_OR_END)


def has_ended(pid: int) -> bool:
    """Return whether a child process has ended, without reaping it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def kill(pid: int, folder: Path, delay: float, target: str | None) -> str:
    """Kill a process; return the phase that it was in, or "" if it had ended before.

    Args:
        pid: its id.
        folder: its working directory.
        delay: seconds to wait first.
        target: the phase to wait for after that, if any.
    """
    end = time.monotonic() + delay
    while time.monotonic() < end:
        if has_ended(pid):
            return ""
        time.sleep(0.002)
    if not handles_signals(pid):
        phase = START_OR_END
    else:
        phase = current_phase(pid, folder)
        while target and phase and phase != target:
            time.sleep(0.001)
            phase = current_phase(pid, folder)
    if phase:
        os.kill(pid, signal.SIGKILL)
    return phase


def handles_signals(pid: int) -> bool:
    """Return whether a process has installed its handler of SIGUSR1; until then the signal would end it."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGUSR1 - 1) & 1)


def wait(pid: int) -> int:
    """Wait for a process; return its exit code, or the negative number of the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


# ---------------------------------------------------------------- one run


def run_uninterrupted(case: str, folder: Path, whole_process: bool) -> float:
    """Run a case without a kill; return its duration in seconds."""
    begin = time.monotonic()
    if code := wait(start(overrides(case), folder, whole_process)):
        sys.exit(f"{case}: the uninterrupted run ended with code {code}: {(folder / 'output.txt').read_text()}")
    return time.monotonic() - begin


def run_with_kills(case: str, folder: Path, kills: list[tuple[float, str | None]], whole_process: bool) -> KilledRun:
    """Run a case, killing it once per (delay, target phase), and start it again until it ends."""
    result = KilledRun(case)
    code = -signal.SIGKILL
    while code in (-signal.SIGKILL, -signal.SIGUSR1):
        if result.phases:
            result.resumed.append(batches_in_checkpoint(folder))
        pid = start([*overrides(case), "resume=auto"], folder, whole_process)
        if kills and (phase := kill(pid, folder, *kills.pop(0))):
            result.phases.append(phase)
        code = wait(pid)
        if code == -signal.SIGUSR1:  # sent while Python was exiting and had removed the handler
            result.phases.append(START_OR_END)
    if code:
        result.differences.append(f"exit code {code}")
    return result


def list_cases(models: list[str], variants: list[str]) -> list[str]:
    """Return the cases of each model and variant that work together."""
    return [
        model if variant == "default" else f"{model} {variant}"
        for variant in variants
        for model in models
        if not (variant == "accumulate" and model in TWO_OPTIMIZERS)
    ]


def overrides(case: str) -> list[str]:
    """Return the overrides of a run."""
    model, _, variant = case.partition(" ")
    return [f"model={model}", *OPTIONS, *MODELS[model], *VARIANTS[variant or "default"]]


def batches_in_checkpoint(folder: Path) -> int:
    """Return the number of batches that the last checkpoint of a run has seen; 0 if there is none."""
    run = run_dir(folder)
    for name in ("last", "previous"):
        if run and (path := run / "checkpoints" / f"{name}.ckpt").is_file():
            return load_verified(path)["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["ready"]
    return 0


# ---------------------------------------------------------------- the table


def table_rows(runs: list[KilledRun]) -> list[list[str]]:
    """Return one row per model and one for all: kills by phase, new starts and resumes, runs that differ."""
    rows = []
    for model in [*dict.fromkeys(run.case.partition(" ")[0] for run in runs), "all"]:
        of_model = [run for run in runs if model in (run.case.partition(" ")[0], "all")]
        phases = Counter(phase for run in of_model for phase in run.phases)
        resumed = [n for run in of_model for n in run.resumed]
        counts = [str(phases[phase]) for phase in (*PHASES, START_OR_END)]
        starts = f"{sum(n == 0 for n in resumed)} / {sum(n > 0 for n in resumed)}"
        different = sum(bool(run.differences) for run in of_model)
        rows.append([model, str(len(of_model)), str(sum(phases.values())), *counts, starts, str(different)])
    return rows


HEADER = ["model", "runs", "kills", *PHASES, START_OR_END, "new / resumed", "different"]


def markdown(rows: list[list[str]]) -> str:
    """Return the table as Markdown."""
    lines = [HEADER, ["---", *["---:"] * (len(HEADER) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Kill and compare runs, and print a table; exit with code 1 if any run differs."""
    if sys.argv[1:2] == ["--run"]:
        sys.exit(run(sys.argv[2:]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=52, help="number of kills, over all models")
    parser.add_argument("--seed", type=int, default=0, help="seed for the moments")
    parser.add_argument("--models", nargs="+", default=DEFAULT_MODELS, choices=[*MODELS, "all"])
    parser.add_argument("--variants", nargs="+", default=["default"], choices=[*VARIANTS, "all"])
    parser.add_argument("--whole-process", action="store_true", help="start a new Python process each time")
    parser.add_argument("--folder", type=Path, help="directory to keep the runs in")
    parser.add_argument("--markdown", type=Path, help="file to write the table to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not args.whole_process:
        import_everything()

    console, rng, runs = Console(highlight=False, soft_wrap=True), random.Random(args.seed), []
    with tempfile.TemporaryDirectory() as scratch:
        root = (args.folder or Path(scratch)).resolve()
        cases = list_cases(
            list(MODELS) if "all" in args.models else args.models,
            list(VARIANTS) if "all" in args.variants else args.variants,
        )
        seconds: dict[str, float] = {}
        while (done := sum(len(run.phases) for run in runs)) < args.kills:
            case = cases[len(runs) % len(cases)]
            if case not in seconds:
                seconds[case] = run_uninterrupted(case, root / case, args.whole_process)
            kills = [
                (rng.uniform(0, 0.9 * seconds[case]), rng.choice([None] * len(TARGET_PHASES) + [*TARGET_PHASES]))
                for _ in range(min(rng.choice([1, 1, 1, 3]), args.kills - done))
            ]
            folder = root / f"{len(runs)}-{case}"
            result = run_with_kills(case, folder, kills, args.whole_process)
            result.differences += differences(root / case, folder)
            runs.append(result)
            killed_in = ", ".join(f"{p} -> {n}" for p, n in zip(result.phases, result.resumed, strict=True))
            console.print(f"{len(runs):3} {case}: {killed_in}: {'; '.join(result.differences) or 'equal'}")
            if result.differences:
                console.print((folder / "output.txt").read_text()[-2000:], markup=False)
    table = Table(*HEADER)
    for row in table_rows(runs):
        table.add_row(*row)
    console.print(table)
    if args.markdown:
        args.markdown.write_text(markdown(table_rows(runs)))
    sys.exit(int(any(run.differences for run in runs)))


def import_everything() -> None:
    """Import all modules that a run needs, before forking. None of them starts a thread, which a fork would lose."""
    for name in ("vae_lightning.training.train", "sklearn.datasets", "sklearn.manifold", "sklearn.model_selection"):
        importlib.import_module(name)


if __name__ == "__main__":
    main()
