"""Loading a finished run: its configuration, its model and its data."""

import logging
from copy import deepcopy
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from vae_lightning.checkpointing.loading import build_model, read_checkpoint
from vae_lightning.checkpointing.trust import Part, Trust, check_trusted
from vae_lightning.config.comparison import ADDED_LOADING_OPTIONS
from vae_lightning.config.instantiation import build
from vae_lightning.config.packages import DATA_PACKAGES
from vae_lightning.config.traversal import iter_leaves
from vae_lightning.config.validation import validate_config
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError, as_user_error, one_line
from vae_lightning.models import ELBOModule
from vae_lightning.runs.artifacts import is_finished
from vae_lightning.runs.format import CheckpointKey
from vae_lightning.runs.layout import CONFIG, EXPORT_SUFFIX
from vae_lightning.runs.pretrained import find_model, model_dir, read_run_config

log = logging.getLogger(__name__)


class LoadedRun(NamedTuple):
    """A finished run.

    Attributes:
        run_dir: the run directory.
        config: the resolved configuration, as plain containers.
        model: the model of the best checkpoint, on the CPU, in eval mode and frozen.
        data: the data module, with its splits loaded.
    """

    run_dir: Path
    config: dict[str, Any]
    model: ELBOModule
    data: ImageDataModule


def load_run(
    path: str | Path, *, trust: Trust = (), data_root: str | Path | None = None, needs_directory: bool = False
) -> LoadedRun:
    """Load a run, or an exported model with the data that it was trained with.

    Args:
        path: a run directory, `latest`, a checkpoint in a run directory, an export, or a model of the package's own.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.
        data_root: the directory or file that the data has been moved to; by default the `data.root` of the run.
        needs_directory: reject exports, which do not have one.

    Raises:
        UserError: if it is not a run directory, has no checkpoint, a file in it is damaged or names a class that is
            not trusted, or its data is no longer there.
    """
    source = find_model(path)
    is_export = source.suffix == EXPORT_SUFFIX
    if is_export and needs_directory:
        raise UserError(f"{path}: an exported model has no run directory to write to. Pass the run.")
    checkpoint = read_checkpoint(source)
    trained: dict[str, Any] = checkpoint[CheckpointKey.CONFIG]
    run_dir = model_dir(source)
    # This also reports a damaged file before the work, not when new numbers are added to it.
    if not is_finished(run_dir) and not is_export:
        epoch = checkpoint.get("epoch", 0) + 1
        log.warning("%s: the training has not finished; its checkpoint of epoch %d is used.", run_dir, epoch)
    path = source if is_export else run_dir / CONFIG
    config = deepcopy(trained) if is_export else read_run_config(source)
    if "data" not in config:
        raise UserError(f"{path}: does not record which data the model was trained on. Pass a run.")
    check_trusted(trust, Part(trained["model"], source), Part(config.get("data"), path, DATA_PACKAGES))
    model = build_model(checkpoint, source, trust=trust)
    if not is_export:
        with as_user_error(f"{path}: {{error}}", reraise=()):
            validate_config(OmegaConf.create(config))
    warn_data_changed(config, trained, path)
    has_root = "root" in config["data"]
    if data_root is not None:
        if not has_root:
            raise UserError(f"--data-root={data_root}: the data of this run has no directory. Leave it out.")
        config["data"]["root"] = str(data_root)
    try:
        data: ImageDataModule = build(config["data"])
        if data_root is None and data.has_changed(checkpoint.get(CheckpointKey.DATA)):
            log.warning(
                "%s: the images in %s have changed since the model was trained, so they are split differently: test"
                " images may have been trained on. Restore them, or pass a copy of the former images as --data-root.",
                path,
                config["data"].get("root"),
            )
        data.labeled_per_class = None  # labels that were not given to the model still serve to evaluate it
        data.prepare_data()
        set_up(data, model)
        check_label_names(data, model, checkpoint.get(CheckpointKey.LABEL_NAMES) or [])
    except Exception as error:
        hint = " If the data has been moved, pass --data-root PATH." if has_root and data_root is None else ""
        if isinstance(error, UserError):
            raise UserError(f"{error}{hint}") from error
        cause = error.__cause__ if isinstance(error.__cause__, UserError) else error  # Hydra wraps a constructor's
        raise UserError(f"{path}: the data of this run is not available ({one_line(cause)}).{hint}") from error
    return LoadedRun(run_dir, config, model, data)


def set_up(data: ImageDataModule, model: ELBOModule) -> None:
    """Load the splits, whose images may have other classes than those of training, or none, unless the model uses them.

    Raises:
        UserError: if the data does not match its configuration, or has no labels for a conditional model.
    """
    k = data.num_classes
    try:
        data.setup()
    except UserError:
        if k is None:
            raise
        data.num_classes, data.splits = None, {}
        data.setup()
        if model.condition_dim:
            labels = "no labels" if data.splits["train"].y is None else "other ones"
            raise UserError(
                f"data: {type(model).__name__} is conditional on {k} classes or attributes, but the images have"
                f" {labels}. Use images with the labels of its training data."
            ) from None


def check_label_names(data: ImageDataModule, model: ELBOModule, trained: list[str]) -> None:
    """Check that labels mean the classes that a conditional model was trained with.

    Raises:
        UserError: if the images have others.
    """
    if not (model.condition_dim and data.label_names and trained):
        return
    for i, (found, expected) in enumerate(zip_longest(map(str, data.label_names), trained)):
        if found != expected:
            raise UserError(
                f"data: label {i} of the images means {found}, but {type(model).__name__} was trained with {expected}."
                " Use images of the same classes."
            )


def warn_data_changed(config: dict[str, Any], trained: dict[str, Any], path: Path) -> None:
    """Warn if the data is not what the model was trained with, for example because its directory was moved.

    Args:
        config: the configuration in the run directory, which a user may have edited.
        trained: the configuration in the checkpoint.
        path: the file of `config`.
    """
    now, before = (
        ADDED_LOADING_OPTIONS | {f"data.{key}": value for key, value in iter_leaves(c.get("data") or {})}
        for c in (config, trained)
    )
    for key in now | before:
        if now.get(key) != before.get(key):
            log.warning("%s: %s=%s, but the model was trained with %s", path, key, now.get(key), before.get(key))
