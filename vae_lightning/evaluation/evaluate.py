"""Evaluate a finished run: likelihood, information, disentanglement, samples, downstream accuracy, anomalies."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from vae_lightning.checkpointing.loading import load_model
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.data import ImageDataModule
from vae_lightning.distributed.device import resolve_device
from vae_lightning.errors import UserError
from vae_lightning.evaluation.anomaly import SCORES_FILE, anomaly
from vae_lightning.evaluation.context import EvaluationContext, draw_images
from vae_lightning.evaluation.disentanglement import disentanglement
from vae_lightning.evaluation.downstream import downstream
from vae_lightning.evaluation.fingerprint import fingerprint, fingerprint_model
from vae_lightning.evaluation.information import information
from vae_lightning.evaluation.likelihood import likelihood
from vae_lightning.evaluation.other_data import load_other_data
from vae_lightning.evaluation.own_groups import OwnGroup, load_own_groups
from vae_lightning.evaluation.results import Results
from vae_lightning.evaluation.samples import samples
from vae_lightning.evaluation.settings import GROUPS, PROTOCOL_GROUPS, Settings, check_groups, resolve_settings
from vae_lightning.evaluation.table import build_table, flatten
from vae_lightning.evaluation.unfinished import Unfinished
from vae_lightning.io.console import CONSOLE
from vae_lightning.io.shell import display_path
from vae_lightning.models import ELBOModule
from vae_lightning.runs.artifacts import read_metrics
from vae_lightning.runs.layout import METRICS
from vae_lightning.runs.recording import save_metrics
from vae_lightning.types import Shape


def evaluate(
    path: str | Path,
    *,
    quick: bool = False,
    protocol: str | None = None,
    only: Sequence[str] = (),
    peers: Sequence[str | Path] = (),
    against: Sequence[str] = (),
    background: str | Path | None = None,
    device: str | None = None,
    trust: Trust = (),
    data_root: str | Path | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Evaluate the best checkpoint of a run, add the results to its `metrics.json` and print a table.

    >>> evaluate("runs/vae-sprites/2026-01-31_12-00-00", quick=True, only=["likelihood"])  # doctest: +SKIP

    The file holds each number under `GROUP/NAME`, and its standard error over images under `GROUP/NAME_se` or its
    standard deviation over repeats under `GROUP/NAME_std`. A number is None if the model or the dataset does not have
    it. `evaluation` holds the settings of each group and a note per number, or the reason why it is missing. The
    numbers of other groups and of the training are kept. If it is interrupted, the same call continues with what has
    been computed.

    Args:
        path: a run directory, `latest`, or a checkpoint in a run directory.
        quick: use fewer samples, which takes a minute on a laptop.
        protocol: use the settings of a paper, one of `evaluation.settings.PROTOCOLS`.
        only: the groups to evaluate; by default all `GROUPS`, or all that the protocol defines, but anomalies only with
            `against`. A name with a dot, such as `my_metrics.sparsity`, is a function of your own: it is given an
            `EvaluationContext` and returns a dictionary of numbers.
        peers: runs of the same model with other seeds, for UDR.
        against: another dataset for anomalies: a choice of `data`, and overrides such as `data.root=FOLDER`.
        background: a run whose model is the background model for anomalies.
        device: a torch device, such as `cpu` or `cuda`; by default the GPU if there is one.
        trust: packages of your own whose classes the checkpoint may name.
        data_root: the directory that the data of the run has been moved to.
        **changes: fields of `evaluation.settings.Settings`; None keeps the default.

    Returns:
        The numbers of the evaluated groups, as in `metrics.json`.

    Raises:
        UserError: if the run, a group, the device or a setting is invalid. Nothing has been written in this case.
    """
    settings, groups, own_groups, torch_device = resolve_options(
        quick=quick,
        protocol=protocol,
        only=only,
        against=against,
        background=background,
        device=device,
        **changes,
    )
    run = load_run(path, trust=trust, data_root=data_root, needs_directory=True)
    own = fingerprint_model(run.model)
    loaded = [load_model(peer, trust=trust) for peer in peers]
    named = [(name, peer) for name, peer in zip(map(fingerprint_model, loaded), loaded, strict=True) if name != own]
    if peers and not named:  # some may be the run itself, as `--peers` may name all evaluated runs
        raise UserError(f"--peers={peers[0]}: is the evaluated run itself. Name runs with other seeds.")
    other = load_other_data(against, run.data) if against else None
    background_model = load_background(background, run.data.image_shape, trust) if background else None
    key = {
        "version": version("vae-lightning"),
        "settings": asdict(settings),
        "device": str(torch_device),
        "images": [fingerprint_images(data, settings) for data in (run.data, *([other.data] if other else []))],
        "models": [own, background_model and fingerprint_model(background_model)],
        "peers": [name for name, _ in named],
        "own": [group.source for group in own_groups],
    }
    stores = {group: Unfinished(run.run_dir, group, json.dumps(key, sort_keys=True)) for group in groups}
    context = EvaluationContext(run, settings, torch_device, progress, stores[groups[0]])
    evaluators: dict[str, Callable[[EvaluationContext], Results]] = {
        "likelihood": likelihood,
        "information": information,
        "disentanglement": lambda context: disentanglement(context, [peer for _, peer in named]),
        "samples": samples,
        "downstream": downstream,
        "anomaly": lambda context: anomaly(context, other, background_model),
        **{group.name: group for group in own_groups},
    }

    results: dict[str, Results] = {}
    seconds: dict[str, float] = {}
    for group, store in stores.items():
        context.unfinished = store
        store.begin()
        if store.folder.is_dir():
            CONSOLE.print(f"continuing the interrupted evaluation of {group}")
        results[group] = store.read_results() or evaluators[group](context)
        store.write_results(results[group])
        seconds[group] = round(store.seconds, 1)
    numbers = {name: value for group in results for name, value in flatten(group, results[group]).items()}
    save(run.run_dir, results, numbers, settings, seconds)
    for store in stores.values():
        store.remove()

    preset = "" if settings.preset == "default" else f"{settings.preset}, "
    title = f"{context.name}, {preset}{len(context.x):,} {settings.split} images, {sum(seconds.values()):.0f} s"
    CONSOLE.print(build_table(results, title))
    has_scores = any(result.value is not None for result in results.get("anomaly", {}).values())
    for file in [METRICS, SCORES_FILE] if has_scores else [METRICS]:
        CONSOLE.print(f"written    {display_path(run.run_dir / file)}")
    return numbers


def resolve_options(
    *,
    quick: bool = False,
    protocol: str | None = None,
    only: Sequence[str] = (),
    against: Sequence[str] = (),
    background: str | Path | None = None,
    device: str | None = None,
    **changes: Any,
) -> tuple[Settings, list[str], list[OwnGroup], torch.device]:
    """Return what the options of `evaluate` describe: settings, names of groups, those of the user, and the device.

    Raises:
        UserError: if an option is invalid.
    """
    settings = resolve_settings(quick, protocol, **changes)
    available = PROTOCOL_GROUPS[protocol] if protocol else GROUPS
    check_groups(only, available)
    own_groups = load_own_groups(only)
    groups = [group.rpartition(".")[2] for group in only]
    groups = groups or [group for group in available if group != "anomaly" or against]
    if "anomaly" in groups and not against:
        raise UserError("--only=anomaly: requires images of another dataset. Add --against DATA, such as sprites.")
    if "anomaly" not in groups and (against or background):
        option = "--against" if against else "--background"
        raise UserError(f"{option}: has an effect on anomaly only. Use --only anomaly --against DATA.")
    return settings, groups, own_groups, resolve_device(device)


def fingerprint_images(data: ImageDataModule, settings: Settings) -> list[str]:
    """Return hashes of images and labels that a change of the data would change."""
    splits = [split for split in ("train", settings.split) if len(data.splits[split].x)]
    return [fingerprint(*draw_images(data, split, settings.images, settings.seed)) for split in splits]


def load_background(path: str | Path, image_shape: Shape, trust: Trust) -> ELBOModule:
    """Load the background model of a likelihood ratio.

    Raises:
        UserError: if it is not a model of images of the same shape with a log p(x).
    """
    model = load_model(path, trust=trust)
    if model.image_shape != image_shape:
        shapes = f"{list(model.image_shape)}, those of the run {list(image_shape)}"
        raise UserError(f"--background={path}: its images have shape {shapes}. Use a run on images of this shape.")
    if model.condition_dim or not model.has_densities:
        name = type(model).__name__
        raise UserError(f"--background={path}: {name} has no log p(x) without labels. Use a run with model=vae.")
    return model


def progress(steps: range, description: str) -> Iterable[int]:
    """Iterate over the steps with a progress bar if the console is a terminal."""
    return track(steps, description, console=CONSOLE, transient=True, disable=not CONSOLE.is_terminal)


def save(
    run_dir: Path, results: dict[str, Results], numbers: dict[str, Any], settings: Settings, seconds: dict[str, float]
) -> None:
    """Write the results to `metrics.json` atomically, replacing earlier results of the same groups."""
    old: dict[str, Any] = {**read_metrics(run_dir)}
    evaluation = old.pop("evaluation", {})
    kept = {name: value for name, value in old.items() if name.partition("/")[0] not in results}
    for group, group_results in results.items():
        notes = {name: result.note for name, result in group_results.items() if result.note}
        evaluation[group] = {"settings": asdict(settings), "seconds": seconds[group], "notes": notes}
    metrics = {**kept, **{name: json_number(value) for name, value in numbers.items()}, "evaluation": evaluation}
    save_metrics(metrics, run_dir)


def json_number(value: Any) -> Any:
    """Replace infinity and NaN, which JSON does not have, by None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
