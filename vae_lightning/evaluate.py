"""One finished run to the numbers that papers compare: likelihood, information, disentanglement and more."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from vae_lightning.checkpoints import load
from vae_lightning.console import CONSOLE, shown
from vae_lightning.errors import UserError, one_of
from vae_lightning.evaluation import (
    Findings,
    Settings,
    Subject,
    disentanglement,
    downstream,
    information,
    likelihood,
    samples,
    settings,
)
from vae_lightning.evaluation.table import flat, table
from vae_lightning.finished import open_run
from vae_lightning.record import save_metrics
from vae_lightning.runs import METRICS, saved_metrics

GROUPS: dict[str, Callable[[Subject], Findings]] = {
    "likelihood": likelihood,
    "information": information,
    "disentanglement": disentanglement,
    "samples": samples,
    "downstream": downstream,
}


def evaluate(
    run: str | Path,
    *,
    quick: bool = False,
    only: Sequence[str] = (),
    peers: Sequence[str | Path] = (),
    device: str | None = None,
    trust: tuple[str, ...] = (),
    **changes: Any,
) -> dict[str, Any]:
    """Ask a run's best checkpoint all that there is to ask; write it into `metrics.json` and print a table.

    >>> evaluate("runs/vae-sprites/2026-01-31_12-00-00", quick=True, only=["likelihood"])  # doctest: +SKIP

    Each group's numbers stand under `GROUP/NAME`, their standard error under `_se` or their spread over repeats under
    `_std`; None where a model or data set has no such number. `evaluation` holds each group's settings, the note of
    each number, or the reason that there is none. What the file held of other groups, and of the training, stays.

    Args:
        run: a run's folder, or a checkpoint in it.
        quick: fewer samples, for a minute on a laptop.
        only: the groups to ask for; by default all of `GROUPS`.
        peers: runs of the same model with other seeds, for UDR.
        device: `cpu`, `cuda` or another of torch's; by default the GPU where there is one.
        trust: packages of your own whose classes the checkpoint may name.
        **changes: fields of `evaluation.Settings`; None leaves one as it is.

    Returns:
        The numbers of the groups asked for, as they stand in `metrics.json`.

    Raises:
        UserError: when the run, a group, a device or a setting is not to be had. Nothing has been written by then.
    """
    chosen = settings(quick, **changes)
    groups = [one_of("--only", group, GROUPS) for group in only] or list(GROUPS)
    finished = open_run(run, trust=trust)
    subject = Subject(finished, chosen, device_named(device), progress)
    others = [load(peer, trust=trust) for peer in peers]
    questions = {**GROUPS, "disentanglement": lambda subject: disentanglement(subject, others)}

    findings: dict[str, Findings] = {}
    seconds: dict[str, float] = {}
    for group in groups:
        start = time.monotonic()
        findings[group] = questions[group](subject)
        seconds[group] = round(time.monotonic() - start, 1)
    numbers = {name: value for group, found in findings.items() for name, value in flat(group, found).items()}
    save(finished.run_dir, findings, numbers, chosen, seconds)

    title = f"{subject.name}, {len(subject.x):,} {chosen.split} images, {sum(seconds.values()):.0f} s"
    CONSOLE.print(table(findings, title))
    CONSOLE.print(f"written    {shown(finished.run_dir / METRICS)}")
    return numbers


def device_named(name: str | None) -> torch.device:
    """A device of torch's that is there; by default the GPU, or the CPU.

    Raises:
        UserError: when there is no such device.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device={name}: there is no such device here; type --device cpu") from error
    return device


def progress(steps: range, description: str) -> Iterable[int]:
    """The steps with a progress bar, where somebody watches."""
    return track(steps, description, console=CONSOLE, transient=True, disable=not CONSOLE.is_terminal)


def save(
    run_dir: Path, findings: dict[str, Findings], numbers: dict[str, Any], chosen: Settings, seconds: dict[str, float]
) -> None:
    """Put what was found into `metrics.json` in one stroke, in the place of what these groups said before."""
    old: dict[str, Any] = {**saved_metrics(run_dir)}
    about = old.pop("evaluation", {})
    kept = {name: value for name, value in old.items() if name.partition("/")[0] not in findings}
    for group, found in findings.items():
        notes = {name: finding.note for name, finding in found.items() if finding.note}
        about[group] = {"settings": asdict(chosen), "seconds": seconds[group], "notes": notes}
    metrics = {**kept, **{name: readable(value) for name, value in numbers.items()}, "evaluation": about}
    save_metrics(metrics, run_dir)


def readable(value: Any) -> Any:
    """A number that every reader of JSON knows: infinity and NaN, which it has not, as None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
