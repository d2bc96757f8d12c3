"""Whether two runs left the same.

Compared are all of `last.ckpt` (weights, optimisers, generators, loops, scores of callbacks), `metrics.json`, and the
figures byte for byte.
"""

from pathlib import Path
from typing import Any

import torch

from vae_lightning.callbacks.checkpoints import moved
from vae_lightning.checkpoint_files import load_whole
from vae_lightning.runs import saved_metrics


def run_dir(folder: Path) -> Path | None:
    """The newest run that has a checkpoint."""
    runs = sorted(path for path in folder.glob("runs/*/*") if (path / "checkpoints").is_dir())
    return runs[-1] if runs else None


def differences(whole: Path, folder: Path) -> list[str]:
    """What the two runs left that is not the same."""
    first, second = run_dir(whole), run_dir(folder)
    assert first is not None
    if second is None:
        return ["no run"]
    contents = [load_whole(path / "checkpoints" / "last.ckpt") for path in (first, second)]
    a, b = (without_place(content, path) for content, path in zip(contents, (first, second), strict=True))
    found = [f"last.ckpt: {name}" for name in sorted(a.keys() | b.keys()) if not same(a.get(name), b.get(name))]
    a, b = map(saved_metrics, (first, second))
    found += [f"metrics.json: {name}" for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]
    files = [
        {str(file.relative_to(path)): file for file in path.rglob("*") if is_compared(file)} for path in (first, second)
    ]
    a, b = files
    found += [f"{name} is missing" for name in sorted(a.keys() - b.keys())]
    found += [f"{name} is left over" for name in sorted(b.keys() - a.keys())]
    return found + [name for name in sorted(a.keys() & b.keys()) if a[name].read_bytes() != b[name].read_bytes()]


def without_place(checkpoint: dict[str, Any], run: Path) -> dict[str, Any]:
    """A checkpoint without what tells where its run lies, and that it was resumed."""
    checkpoint["config"].pop("resume")
    for place in (str(run), str(run.relative_to(run.parents[2]))):
        checkpoint = moved(checkpoint, place, "")
    return checkpoint


def is_compared(file: Path) -> bool:
    """Whether a file of a run is the same in each; events have times, and a checkpoint the folder, in them."""
    return file.is_file() and file.suffix not in (".ckpt", ".yaml") and "tfevents" not in file.name


def same(a: Any, b: Any) -> bool:
    """Whether two nested containers hold the same bits."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return a == b
