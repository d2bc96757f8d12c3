"""Exporting the encoder, decoder and sampler of a run as files that run without this package."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_lightning.checkpointing.loading import build_model, read_checkpoint
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.errors import UserError, as_user_error, check_choice, one_line
from vae_lightning.exporting.formats import FORMATS, TRACED_ROWS, Format, check_installed
from vae_lightning.exporting.graphs import GRAPHS, Graph, graphs_of
from vae_lightning.exporting.weights import label_names
from vae_lightning.io.atomic import atomic_write
from vae_lightning.models import ELBOModule
from vae_lightning.runs.format import CheckpointKey
from vae_lightning.runs.pretrained import find_model, model_dir

TOLERANCE = 1e-4  # |exported - PyTorch| <= TOLERANCE · (1 + |PyTorch|) for every value
READING_OPTIONS = ("image_shape", "crop", "dtype", "binarize")  # of the data, in the metadata
TESTED_ROWS = (1, TRACED_ROWS, TRACED_ROWS + 2)  # batch sizes that exported files are compared with PyTorch at


def export_graphs(
    run: str | Path,
    out: str | Path | None = None,
    *,
    format: str = "onnx",
    only: Collection[str] = tuple(GRAPHS),
    checkpoint: str = "best",
    trust: Trust = (),
) -> dict[Path, float]:
    """Write encoder, decoder and sampler of a run, and compare each file with PyTorch on random inputs.

    >>> export_graphs("runs/vae-digits/2026-01-31_12-00-00", format="onnx")  # doctest: +SKIP

    Args:
        run: a run directory, `latest`, or a checkpoint.
        out: the folder to write to; by default one named after the format in the run directory.
        format: `onnx`, `torchscript` or `pt2`.
        only: some of `encoder`, `decoder` and `sampler`.
        checkpoint: which checkpoint of a run directory to export, `best` or `last`.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.

    Returns:
        the files, and the largest deviation from PyTorch of each.

    Raises:
        UserError: if the model cannot be loaded or exported, a file gives other values than PyTorch, or cannot be
            written.
    """
    check_choice("--format", format, FORMATS)
    check_installed(format)
    source = find_model(run, preferred=check_choice("--checkpoint", checkpoint, ("best", "last")))
    trained = read_checkpoint(source)
    model = build_model(trained, source, trust=trust)
    folder = Path(out) if out else model_dir(source) / format
    return write_graphs(model, folder, format, only, data_metadata(trained))


def data_metadata(checkpoint: dict[str, Any]) -> dict[str, str]:
    """Return how the training images were read, and the names of their labels, each as JSON."""
    data = checkpoint[CheckpointKey.CONFIG].get("data") or {}
    options = {name: data[name] for name in READING_OPTIONS if name in data}
    names = {CheckpointKey.LABEL_NAMES: labels} if (labels := label_names(checkpoint)) else {}
    return {name: json.dumps(value) for name, value in (options | names).items()}


def write_graphs(
    model: ELBOModule,
    folder: Path,
    format: str,
    only: Collection[str] = tuple(GRAPHS),
    metadata: Mapping[str, str] | None = None,
) -> dict[Path, float]:
    """Write encoder, decoder and sampler of a loaded model to a folder; see `export_graphs`.

    The metadata is written to ONNX files only.
    """
    results = {}
    for graph in graphs_of(model, only):
        graph.metadata.update(metadata or {})
        content, deviation = serialize(graph, format)
        path = folder / f"{graph.name}{FORMATS[format].suffix}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            atomic_write(content, path)
        except OSError as error:
            reason = error.strerror or one_line(error)
            raise UserError(f"{path}: cannot be written ({reason}). Pass another folder with --out.") from error
        results[path] = deviation
    return results


@torch.no_grad()
def serialize(graph: Graph, name: str) -> tuple[bytes, float]:
    """Serialize a graph; return the content of the file, and its largest deviation from PyTorch.

    Raises:
        UserError: if the graph cannot be exported, or the deviation exceeds `TOLERANCE`.
    """
    where = f"--format={name}: the {graph.name} of {type(graph.model).__name__}"
    others = ", ".join(sorted({"safetensors", *FORMATS} - {name}))
    fix = f"Try another of {others}, or export the rest with --only."
    with as_user_error(f"{where} cannot be exported ({{kind}}: {{error}}). {fix}"):
        content = FORMATS[name].serialize(graph)
        deviation = compare(graph, FORMATS[name], content)
    if not deviation <= TOLERANCE:
        raise UserError(f"{where} deviates from PyTorch by {deviation:.1e}, more than {TOLERANCE:g}. {fix}")
    return content, deviation


def compare(graph: Graph, format: Format, content: bytes) -> float:
    """Return the largest deviation |a - b| / (1 + |b|) of exported values a from PyTorch's b; inf if shapes differ."""
    run = format.load(content, graph.input_names)
    worst = 0.0
    for n in TESTED_ROWS:
        inputs = graph.example(n, seed=n)
        worst = max(worst, largest_deviation(run(*inputs), graph(*inputs)))
    return worst


def largest_deviation(values: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Return the largest deviation of values from expected ones; inf if shapes differ or a value is not a number."""
    worst = 0.0
    for a, b in zip(values, expected, strict=True):
        if a.shape != b.shape:
            return math.inf
        deviation = ((a - b).abs() / (1 + b.abs())).max().item()
        worst = max(worst, math.inf if math.isnan(deviation) else deviation)
    return worst
