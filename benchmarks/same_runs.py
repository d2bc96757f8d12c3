"""Comparing the files that two runs have written.

Compared are the whole of `last.ckpt` (weights, optimizers, random number generators, loops, callback scores),
`metrics.json`, and the figures byte for byte.
"""

from pathlib import Path
from typing import Any

import torch

from vae_lightning.callbacks.checkpoint import relocate_paths
from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.runs.artifacts import read_metrics


def run_dir(folder: Path) -> Path | None:
    """Return the newest run under a directory that has a checkpoint, or None."""
    runs = sorted(path for path in folder.glob("runs/*/*") if (path / "checkpoints").is_dir())
    return runs[-1] if runs else None


def differences(reference: Path, folder: Path) -> list[str]:
    """Return a description of each difference between the runs under two directories."""
    expected, actual = run_dir(reference), run_dir(folder)
    assert expected is not None
    if actual is None:
        return ["no run"]
    contents = [load_verified(path / "checkpoints" / "last.ckpt") for path in (expected, actual)]
    a, b = (without_location(content, path) for content, path in zip(contents, (expected, actual), strict=True))
    found = [f"last.ckpt: {name}" for name in sorted(a.keys() | b.keys()) if not is_equal(a.get(name), b.get(name))]
    a, b = map(read_metrics, (expected, actual))
    found += [f"metrics.json: {name}" for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]
    a, b = (
        {str(file.relative_to(path)): file for file in path.rglob("*") if is_compared(file)}
        for path in (expected, actual)
    )
    found += [f"{name} is missing" for name in sorted(a.keys() - b.keys())]
    found += [f"{name} is left over" for name in sorted(b.keys() - a.keys())]
    return found + [name for name in sorted(a.keys() & b.keys()) if a[name].read_bytes() != b[name].read_bytes()]


def without_location(checkpoint: dict[str, Any], run: Path) -> dict[str, Any]:
    """Return a checkpoint without the run's directory, and without the option that resumed it."""
    checkpoint["config"].pop("resume")
    for location in (str(run), str(run.relative_to(run.parents[2]))):
        checkpoint = relocate_paths(checkpoint, location, "")
    return checkpoint


def is_compared(file: Path) -> bool:
    """Return whether a file should be equal in both runs. Events contain times, and checkpoints the directory."""
    return file.is_file() and file.suffix not in (".ckpt", ".yaml") and "tfevents" not in file.name


def is_equal(a: Any, b: Any) -> bool:
    """Return whether two nested containers are bitwise equal."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(is_equal(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(is_equal, a, b))
    return a == b
