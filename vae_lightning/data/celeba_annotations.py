"""Reading the splits and attributes of CelebA."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from vae_lightning.data.celeba_layout import Annotation, CelebALayout, parquet_files
from vae_lightning.errors import UserError, one_line
from vae_lightning.io.image_sources import ParquetSource

ATTRIBUTE_VALUES = {"1", "-1", "0"}  # 1 if an attribute is present, else -1 or 0
PARQUET_SPLITS = {"train": 0, "val": 1, "valid": 1, "validation": 1, "test": 2}  # as in the official partition

ATTRIBUTES: tuple[str, ...] = (
    *("5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose"),
    *("Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses"),
    *("Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache"),
    *("Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks"),
    *("Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick"),
    *("Wearing_Necklace", "Wearing_Necktie", "Young"),
)


class Annotations(NamedTuple):
    """Images of CelebA and their annotations.

    Attributes:
        names: names of the N images in the source.
        splits: int64 (N,), the index of each image's split in `SPLITS`; None if there is no partition.
        labels: int64 (N, A) of 0 and 1, all attributes; None if there are none.
        label_names: names of the attributes.
    """

    names: list[str]
    splits: np.ndarray | None
    labels: np.ndarray | None
    label_names: list[str]


def read_annotations(layout: CelebALayout) -> Annotations:
    """List the images in their order, with their splits and attributes.

    Raises:
        UserError: if a file is damaged, or does not match the images.
    """
    if isinstance(layout.source, ParquetSource):
        return read_parquet(layout.source.path)
    names = layout.image_names()
    stems = [PurePosixPath(name).stem for name in names]  # the official tables name JPEG files, PNG files have others
    splits, labels = None, None
    label_names: list[str] = []
    if layout.partition:
        split_of = read_partition(layout.partition)
        check_names(layout.partition, split_of, stems, layout.source.path)
        splits = np.array([split_of[stem] for stem in stems])
    if layout.attributes:
        values, label_names = read_attributes(layout.attributes)
        check_names(layout.attributes, values, stems, layout.source.path)
        labels = np.array([values[stem] for stem in stems], dtype=np.int64)
    return Annotations([layout.prefix + name for name in names], splits, labels, label_names)


def read_partition(partition: Annotation) -> dict[str, int]:
    """Return the split of each image, 0, 1 or 2, by its name without suffix.

    Raises:
        UserError: if a line is invalid.
    """
    splits: dict[str, int] = {}
    for number, row in enumerate(partition.rows(), 1):
        if row[0] == "image_id":
            continue
        if len(row) != 2 or row[1] not in ("0", "1", "2"):
            raise UserError(
                f"data=celeba: line {number} of {partition.path} is {' '.join(row)!r}, not an image and 0, 1 or 2."
                " Download it again."
            )
        splits[PurePosixPath(row[0]).stem] = int(row[1])
    return splits


def read_attributes(attributes: Annotation) -> tuple[dict[str, list[bool]], list[str]]:
    """Return the attributes of each image, by its name without suffix, and their names.

    Raises:
        UserError: if a line is invalid.
    """
    rows = attributes.rows()
    if len(rows) < 3:
        raise UserError(f"data=celeba: {attributes.path} has no table of attributes. Download it again.")
    start = 1 if attributes.name.endswith(".csv") else 2  # the text file starts with the number of images
    header = rows[0][1:] if start == 1 else rows[1]
    values: dict[str, list[bool]] = {}
    for number, row in enumerate(rows[start:], start + 1):
        if len(row) != 1 + len(header):
            raise UserError(
                f"data=celeba: line {number} of {attributes.path} has {len(row) - 1} attributes, not {len(header)}."
                " Download it again."
            )
        if not ATTRIBUTE_VALUES.issuperset(row[1:]):
            wrong = next(value for value in row[1:] if value not in ATTRIBUTE_VALUES)
            raise UserError(
                f"data=celeba: line {number} of {attributes.path} has {wrong!r}, not 1 or -1. Download it again."
            )
        values[PurePosixPath(row[0]).stem] = [value == "1" for value in row[1:]]
    return values, header


def check_names(annotation: Annotation, annotated: Mapping[str, Any], stems: list[str], path: Path) -> None:
    """Check that an annotation file has one row for each image, and no others.

    Args:
        annotation: the file, for error messages.
        annotated: its rows, by the names of the images without suffix.
        stems: names of the images without suffix.
        path: where the images are, for error messages.

    Raises:
        UserError: if it does not.
    """
    existing = set(stems)
    if missing := sorted(annotated.keys() - existing):
        raise UserError(
            f"data=celeba: {annotation.path} names {len(missing):,} images that are not in {path}, first"
            f" {missing[0]}. Download the images again."
        )
    if unnamed := sorted(existing - annotated.keys()):
        raise UserError(
            f"data=celeba: {annotation.path} lacks {len(unnamed):,} images of {path}, first {unnamed[0]}. Download it"
            " again."
        )


def read_parquet(folder: Path) -> Annotations:
    """Read the annotations in Parquet files, one or more per split, as on the Hugging Face Hub.

    Raises:
        UserError: if a file cannot be read, has no images, or is of an unknown split; or if pyarrow is missing.
    """
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise UserError(
            f"data=celeba: the Parquet files in {folder} need pyarrow. Run pip install 'vae-lightning[parquet]'."
        ) from None
    names: list[str] = []
    splits: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    label_names: list[str] = []
    for path in parquet_files(folder):
        split = PARQUET_SPLITS.get(path.name.partition("-")[0].removesuffix(".parquet"))
        if split is None:
            raise UserError(f"data=celeba: {path} is of no known split. Name it train-*, valid-* or test-*.")
        try:
            file = parquet.ParquetFile(path)
            label_names = [name for name in file.schema_arrow.names if name in ATTRIBUTES]
            groups = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
            table = file.read(columns=label_names)
            values = [np.asarray(table[name]) > 0 for name in label_names]
            if "image" not in file.schema_arrow.names:
                raise ValueError("no column image")
        except (OSError, ValueError, TypeError, ArrowException) as error:
            raise UserError(f"data=celeba: {path} cannot be read ({one_line(error)}). Download it again.") from error
        name = path.relative_to(folder).as_posix()
        names += [f"{name}:{k}:{row}" for k, size in enumerate(groups) for row in range(size)]
        splits.append(np.full(sum(groups), split))
        labels.append(np.array(values, dtype=np.int64).reshape(len(label_names), sum(groups)).T)
    known = np.concatenate(splits)
    return Annotations(
        names,
        known if set(known) == {0, 1, 2} else None,
        np.concatenate(labels) if label_names else None,
        label_names,
    )
