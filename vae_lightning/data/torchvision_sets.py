"""Datasets that torchvision downloads and reads: MNIST, Fashion-MNIST, CIFAR-10."""

from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import torch

from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.in_memory import Batch
from vae_lightning.data.splits import stratified_split
from vae_lightning.errors import UserError, one_line

IDX = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]


class TorchvisionDataModule(ImageDataModule):
    """Official training set, from which validation images are held out, and official test set.

    Args:
        root: directory that contains the directory of the dataset.
        download: download missing files.
        val_size: number of training images held out for validation, with equal class proportions; 0 trains on all, as
            papers do.
        split_seed: seed of the split, which does not depend on `seed`.
        **loading: arguments of `ImageDataModule`.
    """

    choice: ClassVar[str]  # name in conf/data/, for error messages
    dataset: ClassVar[str]  # name of the class in torchvision.datasets
    folder: ClassVar[str]  # directory of the files, relative to the root
    files: ClassVar[list[str]]  # their names

    defaults: ClassVar[dict[str, Any]] = {"image_shape": (1, 28, 28), "num_classes": 10}

    def __init__(
        self, *, root: str = "data", download: bool = True, val_size: int = 5000, split_seed: int = 0, **loading: Any
    ) -> None:
        super().__init__(**{**self.defaults, **loading})
        self.root = Path(root).expanduser()
        self.download = download
        self.val_size = val_size
        self.split_seed = split_seed

    def prepare_data(self) -> None:
        """Download missing files.

        Raises:
            UserError: if files are missing and cannot be downloaded, or cannot be read.
        """
        if not self.splits:  # Lightning calls this again before fit and test
            self.read(train=True, download=self.download)

    def load(self) -> dict[str, Batch]:
        """Return the official sets, after holding out validation images from the training set."""
        train, val = stratified_split(self.read(train=True), self.val_size, self.split_seed)
        return {"train": train, "val": val, "test": self.read(train=False)}

    def read(self, train: bool, download: bool = False) -> Batch:
        """Read the official training or test set with torchvision.

        Raises:
            UserError: if it cannot be read, with torchvision's error on one line.
        """
        from torchvision import datasets  # slow to import, and only these datasets need it

        folder = self.root / self.folder
        parents = [path for path in (folder, *folder.parents) if path.is_relative_to(self.root)]
        missing_dirs = [path for path in parents if not path.exists()]
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # torchvision prints each failure
                dataset = getattr(datasets, self.dataset)(str(self.root), train=train, download=download)
        except Exception as error:  # damaged files cause various errors, such as AssertionError
            with suppress(OSError):
                for path in missing_dirs:
                    path.rmdir()
            if all((folder / name).is_file() for name in self.files):
                damaged = "".join([f"{name}: " for name in self.files if not is_readable(folder / name)][:1])
                raise UserError(
                    f"data={self.choice}: the files in {folder.resolve()} cannot be read ({damaged}{one_line(error)})."
                    " Delete them and download them again."
                ) from error
            failure = f", and the download failed ({one_line(error)})" if download else ""
            raise UserError(
                f"data={self.choice}: no files in {folder.resolve()}{failure}. Put {', '.join(self.files)} there, set"
                f" data.root to the directory that contains {self.folder}, or use data=digits, which needs no download."
            ) from error
        self.label_names = list(dataset.classes)
        x, y = torch.as_tensor(dataset.data), torch.as_tensor(dataset.targets)
        if len(x) != len(y):
            raise UserError(
                f"data={self.choice}: there are {len(x):,} images but {len(y):,} labels in {folder.resolve()}. Delete"
                " the files and download them again."
            )
        return Batch(x[:, None] if x.dim() == 3 else x.permute(0, 3, 1, 2).contiguous(), y)


def is_readable(path: Path) -> bool:
    """Return whether torchvision can read an IDX file. Files of other formats are not checked."""
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

    try:
        return path.name not in IDX or read_sn3_pascalvincent_tensor(str(path)).dtype == torch.uint8
    except Exception:  # damaged files cause various errors
        return False


class MNISTDataModule(TorchvisionDataModule):
    """60,000 training and 10,000 test images of 1 x 28 x 28, digits 0 to 9 (LeCun et al. 1998)."""

    choice, dataset, folder, files = "mnist", "MNIST", "MNIST/raw", IDX


class FashionMNISTDataModule(TorchvisionDataModule):
    """60,000 training and 10,000 test images of 1 x 28 x 28, ten kinds of clothes (Xiao et al. 2017)."""

    choice, dataset, folder, files = "fashion_mnist", "FashionMNIST", "FashionMNIST/raw", IDX


class CIFAR10DataModule(TorchvisionDataModule):
    """50,000 training and 10,000 test images of 3 x 32 x 32, ten kinds of objects (Krizhevsky 2009)."""

    defaults: ClassVar[dict[str, Any]] = {"image_shape": (3, 32, 32), "num_classes": 10}
    choice, dataset, folder = "cifar10", "CIFAR10", "cifar-10-batches-py"
    files: ClassVar[list[str]] = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]
