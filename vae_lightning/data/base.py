"""The LightningDataModule that all data sets share."""

from abc import ABC, abstractmethod

import lightning as L
import numpy as np
import torch
from torch import Tensor

from vae_lightning.data.in_memory import Batch, EpochSampler, InMemoryLoader
from vae_lightning.distributed.batch_sharding import BatchShard, global_batch_size, local_rows
from vae_lightning.errors import UserError, check_choice
from vae_lightning.types import Shape


class ImageDataModule(L.LightningDataModule, ABC):
    """Images in memory as uint8, in splits `train`, `val` (may be empty) and `test`.

    A data set is one class with one method, `load`, and one file in `conf/data/`.

    Args:
        image_shape: (C, H, W) of each image.
        num_classes: K, the number of classes or of attributes, or None for unlabelled data.
        batch_size: images a training step, in each process.
        eval_batch_size: images a step of validation and test, of all processes together.
        seed: shuffles the training images.
        binarize: `none`; or `fixed` or `dynamic`: each pixel becomes 1 with the probability of its grey value, once and
            for all (as in Salakhutdinov & Murray 2008) or anew in each batch (as in Burda et al. 2016).
        device_resident: keep the images on the accelerator: true, false, or `auto`, where it is a GPU of whose free
            memory they take less than half.
        validation_split: the split whose metrics are logged as `val/`: `val`; or `test`, for the test curves of a
            paper.

    Raises:
        UserError: when `binarize` or `validation_split` is none of these.
    """

    def __init__(
        self,
        *,
        image_shape: Shape,
        num_classes: int | None,
        batch_size: int,
        eval_batch_size: int,
        seed: int,
        binarize: str,
        validation_split: str,
        device_resident: bool | str,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.num_classes = num_classes
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.seed = seed
        self.binarize = check_choice("data.binarize", binarize, ("none", "fixed", "dynamic"))
        self.validation_split = check_choice("data.validation_split", validation_split, ("val", "test"))
        self.device_resident = check_choice("data.device_resident", device_resident, (True, False, "auto"))
        self.splits: dict[str, Batch] = {}
        self.shard = BatchShard()
        self.label_names: list[str] = []  # of the classes, or of the attributes or factors; none where they are numbers

    @abstractmethod
    def load(self) -> dict[str, Batch]:
        """Return each split's images, uint8 (N, C, H, W), and labels: int64 (N,) for classes, (N, A) for attributes.

        Labels are None for unlabelled data.
        """

    def setup(self, stage: str | None = None) -> None:
        """Load the splits once, and check them.

        Raises:
            UserError: when the images or the labels are not what the configuration says.
        """
        if self.trainer:
            self.shard = BatchShard(self.trainer.global_rank, self.trainer.world_size)
        if self.splits:
            return
        self.splits = self.load()
        for name, (x, y) in self.splits.items():
            if tuple(x.shape[1:]) != self.image_shape or x.dtype != torch.uint8:
                raise UserError(
                    f"data: the {name} images are {x.dtype} {tuple(x.shape[1:])}, not uint8 {self.image_shape};"
                    f" type data.image_shape={list(x.shape[1:])}"
                )
            if y is None and self.num_classes is not None:
                raise UserError("data: these images have no labels; type data.num_classes=null")
            if y is not None and len(y) != len(x):
                raise UserError(f"data: {len(x)} {name} images but {len(y)} labels")
            if y is not None and y.dim() == 2 and self.num_classes not in (None, y.shape[1]):
                raise UserError(f"data: {y.shape[1]} labels an image; type data.num_classes={y.shape[1]} or null")
            if y is not None and y.dim() == 1 and self.num_classes and len(y) and int(y.max()) >= self.num_classes:
                raise UserError(
                    f"data: the {name} labels go up to {int(y.max())}; type data.num_classes={int(y.max()) + 1} or more"
                )

        if self.binarize == "fixed":  # whatever the seed of the run, so that runs compare on the same images
            self.splits = {
                name: Batch(binarized(x, torch.Generator().manual_seed(0)), y) for name, (x, y) in self.splits.items()
            }

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Binarise a batch anew, on the device, where that is asked for."""
        if self.binarize != "dynamic":
            return batch
        with self.shard:
            return Batch(binarized(batch.x), batch.y)

    def random_batch(self, n: int, device: torch.device) -> Batch:
        """n training images drawn with replacement, on the device: a batch beside the one of the step."""
        x, y = self.splits["train"]
        index = local_rows(torch.randint(len(x), (global_batch_size(n),)))
        batch = Batch(x[index], None if y is None else y[index])
        return self.on_after_batch_transfer(batch.to(device), 0)

    def train_dataloader(self) -> InMemoryLoader:
        """Shuffled batches of the training images."""
        return self.batches("train", self.batch_size * self.shard.world_size, seed=self.seed)

    def val_dataloader(self) -> InMemoryLoader | list[InMemoryLoader]:
        """Batches of the validation images, in order; no loader where there are none."""
        return (
            self.batches(self.validation_split, self.eval_batch_size)
            if len(self.splits[self.validation_split].x)
            else []
        )

    def test_dataloader(self) -> InMemoryLoader:
        """Batches of the test images, in order."""
        return self.batches("test", self.eval_batch_size)

    def batches(self, split: str, batch_size: int, seed: int | None = None) -> InMemoryLoader:
        """The batches of one split that fall to this process."""
        images = self.resident(self.splits[split])
        return InMemoryLoader(images, batch_size, EpochSampler(len(images.x), seed=seed), self.shard)

    def resident(self, images: Batch) -> Batch:
        """The images on the accelerator, where they are to be kept there; otherwise as they are."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        wanted = self.device_resident
        if wanted == "auto":
            wanted = device.type == "cuda" and 2 * images.x.nbytes < torch.cuda.mem_get_info(device)[0]
        return images.to(device) if wanted else images


def binarized(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Each pixel white with probability grey / 255, else black: uint8 of the same shape, 0 or 255."""
    shape = (global_batch_size(len(x)), *x.shape[1:])
    threshold = local_rows(torch.randint(255, shape, generator=generator, dtype=torch.uint8, device=x.device))
    return (threshold < x).to(torch.uint8) * 255


def stratified_split(images: Batch, size: int, seed: int) -> tuple[Batch, Batch]:
    """Split off `size` images with the classes in the same proportions as in all; return (the rest, those).

    Raises:
        UserError: when either part would hold fewer images than there are classes.
    """
    from sklearn.model_selection import train_test_split  # a second of imports that only some data sets need

    x, y = images
    assert y is not None
    if size == 0:
        return images, Batch(x[:0], y[:0])
    num_classes = len(y.unique())
    if not num_classes <= size <= len(x) - num_classes:
        raise UserError(
            f"data: cannot set aside {size} of {len(x)} images of {num_classes} classes;"
            f" type a val_size and a test_size from {num_classes} up that leave as many for training"
        )
    rest, those = train_test_split(np.arange(len(x)), test_size=size, stratify=y.numpy(), random_state=seed)
    return Batch(x[rest], y[rest]), Batch(x[those], y[those])
