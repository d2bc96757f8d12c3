"""Base class of all data modules."""

import logging
import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, SupportsFloat

import lightning as L
import numpy as np
import torch
from torch import Tensor

from vae_lightning.data.in_memory import Batch, EpochSampler, InMemoryLoader
from vae_lightning.data.labels import UNKNOWN, labeled_subset
from vae_lightning.data.transforms import binarized, flipped
from vae_lightning.distributed.batch_sharding import BatchShard, random_integers
from vae_lightning.errors import UserError, check_choice
from vae_lightning.types import SPLITS, Shape

MAX_CLASSES = 1_000_000  # as of `data.num_classes`
log = logging.getLogger(__name__)


class ImageDataModule(L.LightningDataModule, ABC):
    """Images in memory, uint8 or float32, in splits `train`, `val` (may be empty) and `test`.

    A dataset consists of one subclass with a method `load`, and one file in `conf/data/`.

    Args:
        image_shape: (C, H, W) of each image.
        num_classes: K, the number of classes or attributes. None for unlabeled data and factors; classes are counted.
        batch_size: images per training step and process.
        eval_batch_size: images per step of validation and testing, over all processes.
        seed: for shuffling the training images.
        binarize: `none`, or set each pixel to 1 with the probability of its gray value: once (`fixed`, as in
            Salakhutdinov & Murray 2008) or again in each batch (`dynamic`, as in Burda et al. 2016).
        flip: mirror each training image left to right with probability 1/2, drawn again in each epoch.
        device_resident: keep the images on the accelerator: true, false, or `auto` for a GPU if they fill less than
            half of its free memory.
        labeled_per_class: number of training images per class whose label is given, for semi-supervised models; that of
            all others is `UNKNOWN`. They depend on `split_seed` only. None gives all labels.
        validation_split: the split whose metrics are logged as `val/`: `val`, or `test` to reproduce the test curves of
            a paper.

    Raises:
        UserError: if `binarize`, `validation_split` or `device_resident` has an invalid value.

    Attributes:
        defaults: arguments of this class whose defaults a dataset changes.
        splits: images and labels of each split, once `setup` has been called.
        labeled: indices of the training images whose class is given, int64; None if the labels are not classes.
        label_names: names of the classes, attributes or factors; empty if they have none.
    """

    defaults: ClassVar[dict[str, Any]] = {}
    split_seed: int = 0  # of the splits and of `labeling_order`

    def __init__(
        self,
        *,
        image_shape: Shape,
        num_classes: int | None = None,
        batch_size: int = 128,
        eval_batch_size: int = 500,
        seed: int = 0,
        binarize: str = "none",
        flip: bool = False,
        validation_split: str = "val",
        device_resident: bool | str = "auto",
        labeled_per_class: int | None = None,
    ) -> None:
        super().__init__()
        if image_shape is None:  # valid for data=arrays only
            raise UserError("data.image_shape=null: must be [channels, height, width].")
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.num_classes = num_classes
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.binarize = check_choice("data.binarize", binarize, ("none", "fixed", "dynamic"))
        self.flip = flip
        self.validation_split = check_choice("data.validation_split", validation_split, ("val", "test"))
        self.device_resident = check_choice("data.device_resident", device_resident, (True, False, "auto"))
        self.labeled_per_class = labeled_per_class
        self.splits: dict[str, Batch] = {}
        self.labeled: Tensor | None = None
        self.shard = BatchShard()
        self.label_names: list[str] = []

    @abstractmethod
    def load(self) -> dict[str, Batch]:
        """Return the images, uint8 or float32 in [0, 1], (N, C, H, W), and labels of each split.

        Labels are int64, (N,) for classes and (N, A) for attributes, or None for unlabeled data.
        """

    @property
    def identity(self) -> str | None:
        """Hash by which a run recognizes the images that it was trained on; None for those of a published dataset."""
        return None

    def has_changed(self, identity: Any) -> bool:
        """Return whether the images are others than those of an earlier identity, which older runs do not have."""
        return isinstance(identity, str) and identity != self.identity

    def image_names(self) -> dict[str, list[str]]:
        """Return the names of the images of each split in order, once they are loaded; empty if they have none."""
        return {}

    def setup(self, stage: str | None = None) -> None:
        """Load the splits if they are not loaded yet, and check them against the configuration.

        Raises:
            UserError: if the images or labels do not match it, or each other, or there are too many classes.
        """
        if self.trainer:
            self.shard = BatchShard(self.trainer.global_rank, self.trainer.world_size)
        if self.splits:
            return
        self.splits = self.load()
        self.check_splits()
        labels = [y for _, y in self.splits.values() if y is not None and len(y)]
        if self.num_classes is None and labels and labels[0].dim() == 1:
            self.num_classes = max(len(self.label_names), count_classes(torch.cat(labels)))
        if self.flip and self.num_classes is None and labels:
            raise UserError(
                "data.flip=true: the labels are factors, which differ for a mirrored image. Set data.flip=false."
            )
        self.select_labels()
        if self.binarize == "fixed":  # the same for all seeds, so runs are comparable
            self.splits = {
                name: Batch(binarized(x, torch.Generator().manual_seed(0)), y) for name, (x, y) in self.splits.items()
            }

    def select_labels(self) -> None:
        """Keep the labels of `labeled_per_class` training images of each class, if it is set, and find labeled ones.

        Raises:
            UserError: if there are too few of a class, or there are no validation images although labels are missing.
        """
        x, y = self.splits["train"]
        if self.labeled_per_class is not None:
            y = labeled_subset(y, self.labeled_per_class, self.labeling_order())
            self.splits["train"] = Batch(x, y)
        self.labeled = (y != UNKNOWN).nonzero().flatten() if y is not None and y.dim() == 1 else None
        if self.has_unknown_labels and not len(self.splits[self.validation_split].x):
            raise UserError(  # figures would show training images
                "data: some training images are unlabeled, which requires validation images. Set"
                " data.val_size or data.val_fraction."
            )

    def check_splits(self) -> None:
        """Check that all splits are there, and their images and labels.

        Raises:
            UserError: if one is missing, does not match the configuration, or only some have labels.
        """
        if missing := {*SPLITS} - self.splits.keys():
            raise UserError(
                f"data: {type(self).__name__}.load does not return {' and '.join(sorted(missing))}. Return the splits"
                " train, val and test, of which val may be empty."
            )
        for name, split in self.splits.items():
            self.check_split(name, split)
        labeled = {name: y is not None for name, (x, y) in self.splits.items() if len(x)}
        if len({*labeled.values()}) > 1:
            raise UserError(
                f"data: only the {' and '.join(filter(labeled.get, labeled))} images have labels. Give labels to all"
                " splits, or to none."
            )
        shapes = {name: ("N", *y.shape[1:]) for name, (x, y) in self.splits.items() if y is not None and len(x)}
        if len({*shapes.values()}) > 1:
            shown = ", ".join(f"({', '.join(map(str, shape))}) for {name}" for name, shape in shapes.items())
            raise UserError(
                f"data: the labels have different shapes: {shown}. Give all splits the same kind of labels."
            )

    def check_split(self, name: str, split: Batch) -> None:
        """Check the images and labels of one split against the configuration.

        Raises:
            UserError: if they do not match it, or each other.
        """
        x, y = split
        if x.dtype not in (torch.uint8, torch.float32) or x.dim() != 4:
            raise UserError(
                f"data: the {name} images are {x.dtype} of shape {tuple(x.shape)}, but must be (N, C, H, W),"
                f" torch.uint8 from 0 to 255 or torch.float32 from 0 to 1. Convert them in {type(self).__name__}.load."
            )
        if x.dtype == torch.float32 and len(x):
            check_unit_interval(name, x.min(), x.max(), f" in {type(self).__name__}.load")
        if tuple(x.shape[1:]) != self.image_shape:
            shape = list(x.shape[1:])
            raise UserError(
                f"data.image_shape={list(self.image_shape)}: the {name} images have {shape}. Set"
                f" data.image_shape={shape}."
            )
        if y is None and self.num_classes is not None:
            raise UserError(
                f"data.num_classes={self.num_classes}: the images have no labels. Set data.num_classes=null."
            )
        if y is not None and len(y) and int(y.min()) < (UNKNOWN if y.dim() == 1 and name == "train" else 0):
            raise UserError(
                f"data: the {name} labels start at {int(y.min())}. Count them from 0. Only the class of a training"
                f" image may be {UNKNOWN}, if it is not given."
            )
        if y is not None and len(y) != len(x):
            raise UserError(f"data: there are {len(x)} {name} images but {len(y)} labels. Check the files.")
        if y is not None and y.dim() == 2 and self.num_classes not in (None, y.shape[1]):
            raise UserError(
                f"data.num_classes={self.num_classes}: the images have {y.shape[1]} labels each. Set"
                " data.num_classes=null."
            )
        if y is not None and y.dim() == 1 and self.num_classes and len(y) and int(y.max()) >= self.num_classes:
            raise UserError(
                f"data.num_classes={self.num_classes}: the {name} labels go up to {int(y.max())}. Set"
                f" {int(y.max()) + 1} or more."
            )

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Transform a batch on its device."""
        with self.shard:
            return self.transform(batch, training=bool(self.trainer and self.trainer.training))

    def transform(self, images: Batch, *, training: bool) -> Batch:
        """Mirror images for training at random if `flip` is set, and binarize images if `binarize` is `dynamic`."""
        x, y = images
        if training and self.flip:
            x = flipped(x)
        if self.binarize == "dynamic":
            x = binarized(x)
        return Batch(x, y)

    @property
    def has_test_split(self) -> bool:
        """Whether the data defines its test images, instead of holding them out from images of the user's own."""
        return True

    @property
    def has_unknown_labels(self) -> bool:
        """Whether the class of some training images is not given."""
        return self.labeled is not None and len(self.labeled) < len(self.splits["train"].x)

    def labeling_order(self) -> Tensor:
        """Return the indices of the training images in random order; the labels of the first ones are given.

        It depends on `split_seed` only, so all runs are given the same labels.
        """
        seed, n = self.split_seed, len(self.splits["train"].x)
        # The third number, since (seed,) and (seed, 0) are the same to NumPy, and the latter shuffles the first epoch.
        return torch.from_numpy(np.random.default_rng((seed, 0, 1)).permutation(n))

    def random_batch(self, n: int, device: torch.device, among: Tensor | None = None) -> Batch:
        """Sample n training images with replacement, on the device, independently of the current batch.

        Args:
            n: number of images of this process.
            device: where to put them.
            among: indices of the images to sample from, such as `labeled`; None for all.
        """
        images = self.splits["train"]
        index = random_integers(len(images.x if among is None else among), n)
        index = index if among is None else among[index]
        return self.transform(images.rows(index).to(device), training=True)

    def random_images(self, n: int) -> Batch:
        """Return n random training images, or all if there are fewer.

        Each process gets all of them. Outside of a step, with the same random state, these are the same.
        """
        images = self.splits["train"]
        return self.transform(images.rows(torch.randperm(len(images.x))[:n]), training=True)

    def train_dataloader(self) -> InMemoryLoader:
        """Return shuffled batches of the training images; the same in each epoch with Lightning's `overfit_batches`."""
        seed = None if self.trainer and self.trainer.overfit_batches else self.seed  # type: ignore[attr-defined]
        return self.batches("train", self.batch_size * self.shard.world_size, seed=seed)

    def val_dataloader(self) -> InMemoryLoader | list[InMemoryLoader]:
        """Return batches of the validation images, in order; an empty list if there are none."""
        if len(self.splits[self.validation_split].x) == 0:
            return []
        return self.batches(self.validation_split, self.eval_batch_size)

    def test_dataloader(self) -> InMemoryLoader:
        """Return batches of the test images, in order."""
        return self.batches("test", self.eval_batch_size)

    def predict_dataloader(self) -> InMemoryLoader:
        """Return batches of the test images, in order."""
        return self.test_dataloader()

    def batches(self, split: str, batch_size: int, seed: int | None = None) -> InMemoryLoader:
        """Return the batches of a split, each holding the rows of this process; shuffled if there is a seed."""
        images = self.resident(self.splits[split])
        return InMemoryLoader(images, batch_size, EpochSampler(len(images.x), seed=seed), self.shard)

    def resident(self, images: Batch) -> Batch:
        """Move a split to the accelerator, if `device_resident` asks for it."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        resident = self.device_resident
        if resident == "auto":
            resident = device.type == "cuda" and 2 * images.x.nbytes < torch.cuda.mem_get_info(device)[0]
        return images.to(device) if resident else images


def count_classes(y: Tensor) -> int:
    """Return one more than the largest label (N,), and warn if there are labels below it that no image has.

    Raises:
        UserError: if there are more than `MAX_CLASSES`.
    """
    num_classes, num_used = int(y.max()) + 1, len(y[y != UNKNOWN].unique())
    if num_classes > MAX_CLASSES:
        raise UserError(f"data: the labels go up to {num_classes - 1}. Number the classes 0, 1, 2, ...")
    if num_used < num_classes:
        log.warning(
            "data: %s of %s classes have no images. Number the classes 0, 1, 2, ... without gaps.",
            *(num_classes - num_used, num_classes),
        )
    return num_classes


def check_unit_interval(split: str, low: SupportsFloat, high: SupportsFloat, fix: str) -> None:
    """Check that the smallest and the largest value of images are in [0, 1].

    Args:
        split: of the images, for messages.
        low: the smallest value, NaN if there is one.
        high: the largest value.
        fix: the end of the sentence "Scale them to [0, 1]".

    Raises:
        UserError: if they are not.
    """
    smallest, largest = float(low), float(high)
    if math.isnan(smallest):
        raise UserError(f"data: the {split} images contain NaN. Replace it by a value in [0, 1].")
    if not 0 <= smallest <= largest <= 1:  # all digits, since the largest may be just above 1
        shown = " to ".join(str(value).removesuffix(".0") for value in (smallest, largest))
        raise UserError(f"data: the {split} images have values from {shown}. Scale them to [0, 1]{fix}.")
