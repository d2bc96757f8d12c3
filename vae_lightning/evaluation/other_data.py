"""Loading another dataset for a run, by its name in `conf/data/`."""

from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from omegaconf import DictConfig

from vae_lightning.config.composition import composed_alone
from vae_lightning.config.error_reporting import USER_FACING_ERRORS, format_error
from vae_lightning.config.inheritance import inherit_run
from vae_lightning.config.instantiation import build_component
from vae_lightning.config.overrides import normalize
from vae_lightning.config.paths import config_dirs
from vae_lightning.config.validation import validate_config
from vae_lightning.data import Batch, ImageDataModule
from vae_lightning.errors import UserError
from vae_lightning.runs.format import override_key

INHERITED = ("image_shape", "crop", "dtype")  # how images are read
# Of images that are joined again. A data module requires images for training and for testing.
FRACTIONS = {"val_fraction": 0.0, "test_fraction": 0.5}


class OtherData(NamedTuple):
    """Another dataset, whose images are the anomalies.

    Attributes:
        name: for notes.
        data: its data module, with its splits loaded, and images of the same shape as those of the run.
        image_names: the names of the images of each split; empty if they have none.
    """

    name: str
    data: ImageDataModule
    image_names: Mapping[str, Sequence[str]]


def load_other_data(against: Sequence[str], like: ImageDataModule) -> OtherData:
    """Load a dataset whose images have the shape of those of a run, and are binarized in the same way.

    Data of the same class as that of the run is also cropped in the same way, unless an override says otherwise. If its
    test images would be held out at random, all images are test images, unless `data.test_fraction` is given.

    Args:
        against: a choice of `data`, and overrides such as `data.root=FOLDER`.
        like: the data of the run.

    Raises:
        UserError: if there is no such dataset, an override is invalid, the files are not available, or the images have
            another shape.
    """
    choice, *options = against
    given = list(map(override_key, options))
    check_is_choice(choice)
    for key, option in zip(given, options, strict=True):
        if not key.startswith("data."):
            raise UserError(f"--against {choice} {option}: not an option of the data. Use data.NAME=VALUE.")
    overrides = normalize([f"data={choice}", *options])
    try:
        with composed_alone([*overrides, "run_dir=unknown"]) as cfg:
            inherit_run(cfg)
            inherit_reading(cfg, like, given)
            if "data.test_fraction" not in given:
                unset = FRACTIONS.keys() & cfg.data.keys() - {key.partition(".")[2] for key in given}
                cfg.data.update({name: FRACTIONS[name] for name in unset})
            validate_config(cfg)
            data: ImageDataModule = build_component(cfg, "data", ImageDataModule)
            uses_all = not data.has_test_split and "data.test_fraction" not in given
            data.binarize = like.binarize
            if data.image_shape == like.image_shape:
                data.prepare_data()
                data.setup()
    except USER_FACING_ERRORS as error:
        raise UserError(f"--against {choice}: {format_error(error, overrides)}") from error
    if data.image_shape != like.image_shape:
        shapes = f"{list(data.image_shape)}, those of the run {list(like.image_shape)}"
        fix = f"data.image_shape=[{','.join(map(str, like.image_shape))}]"
        raise UserError(
            f"--against {choice}: the images have shape {shapes}. If they can be resized, add {fix} after {choice}."
        )
    image_names = data.image_names()
    if uses_all:
        data.splits = dict.fromkeys(data.splits, join(data.splits.values()))
        all_names = [*chain.from_iterable(image_names.values())]
        image_names = dict.fromkeys(image_names, all_names)
    return OtherData(" ".join(against), data, image_names)


def check_is_choice(choice: str) -> None:
    """Check that a choice of `data` is not the path of the images.

    Raises:
        UserError: if it is.
    """
    is_choice = any((folder / "data" / f"{choice}.yaml").is_file() for folder in config_dirs())
    if not is_choice and ("/" in choice or Path(choice).exists()):
        data = "arrays" if choice.endswith((".npy", ".npz")) else "image_folder"
        raise UserError(f"--against {choice}: not a choice of data=. Use --against {data} data.root={choice}.")


def inherit_reading(cfg: DictConfig, like: ImageDataModule, given: Collection[str]) -> None:
    """Set the options that determine how images are read to those of a run, if its data is of the same class.

    Args:
        cfg: with the other data.
        like: the data of the run.
        given: options that keep their values.
    """
    if cfg.data._target_.rpartition(".")[2] != type(like).__name__:
        return
    for name in INHERITED:
        if cfg.data.get(name) is not None and f"data.{name}" not in given:  # null: it depends on the images
            value = getattr(like, name)
            cfg.data[name] = list(value) if isinstance(value, tuple) else value


def join(splits: Collection[Batch]) -> Batch:
    """Concatenate splits."""
    labels = [y for _, y in splits if y is not None]
    return Batch(torch.cat([x for x, _ in splits]), torch.cat(labels) if labels else None)
