"""Splits and classes as directories, and warnings about directories that are probably meant differently."""

import logging
import os
from collections.abc import Collection
from pathlib import Path, PurePath

from vae_lightning.io.escaping import visible

log = logging.getLogger(__name__)

SPLIT_NAMES = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def has_split_folders(names: list[str]) -> bool:
    """Return whether there are images for training and others in directories of their own."""
    found = set(map(split_of, names))
    return "train" in found and not found.isdisjoint({"val", "test"})


def split_of(name: str) -> str:
    """Return the split that the first directory of an image is named for, or an empty string."""
    first, slash, _ = name.partition("/")
    return SPLIT_NAMES.get(first.lower(), "") if slash else ""


def class_of(name: str, in_split: bool) -> str:
    """Return the directory of an image, without that of its split; an empty string if there is none."""
    return "/".join(name.split("/")[in_split:-1])


def printable(name: str) -> str:
    r"""Return the name of a directory with bytes that are not UTF-8 as escape sequences, such as `caf\xe9`."""
    return os.fsencode(name).decode(errors="backslashreplace")


def warn_unread_splits(root: Path, classes: Collection[PurePath]) -> None:
    """Warn if a directory of a split is read as that of a class."""
    for folder in sorted({folder for path in classes for folder in (path, *path.parents)}):
        if is_unread_split(folder, classes):
            fix = (
                "put images for testing or validation into directories test or val beside it"
                if len(folder.parts) == 1
                else f"set data.root={root / folder.parent}, and call those of other splits test or val"
            )
            log.warning("data.root=%s: the directory %s is read as a class. If it is a split, %s.", root, folder, fix)
            return


def is_unread_split(folder: PurePath, classes: Collection[PurePath]) -> bool:
    """Return whether a directory `train` contains classes, or has only others like `testing` beside it."""
    if SPLIT_NAMES.get(folder.name.lower()) != "train":
        return False
    beside = [path.name.lower() for path in classes if path.name and path.parent == folder.parent and path != folder]
    has_classes = any(folder in path.parents for path in classes)
    return has_classes or (beside != [] and all(name.startswith(("test", "val")) for name in beside))


def warn_unlabeled(root: Path, names: list[str]) -> None:
    """Warn that some images, but not all, are in no directory of a class."""
    log.warning(
        "data.root=%s: %s images, such as %s, are in no class directory, so all are unlabeled. Move them into one.",
        *(root, f"{len(names):,}", visible(min(names))),
    )


def warn_linked_folders(root: Path, folders: Collection[str]) -> None:
    """Warn about directories that links make occur several times."""
    names: dict[str, list[str]] = {}
    for folder in sorted(folders):
        names.setdefault(os.path.realpath(root / folder), []).append(folder)
    for same in names.values():
        if len(same) > 1:
            log.warning(
                "data.root=%s: %s are the same directory, so its images are read %s times, maybe for training and for"
                " testing. Remove the links.",
                *(root, visible(" and ".join(same)), len(same)),
            )
