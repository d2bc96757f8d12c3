"""The data sets that torchvision reads and downloads: MNIST, Fashion-MNIST, CIFAR-10."""

from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import torch

from vae_lightning.data.base import ImageDataModule, stratified_split
from vae_lightning.data.in_memory import Batch
from vae_lightning.errors import UserError, one_line

IDX = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]


class TorchvisionDataModule(ImageDataModule):
    """An official training set, of which validation images are set aside, and an official test set.

    Args:
        root: the folder that holds, or is to hold, the data set's own folder.
        download: fetch the files when they are not there.
        val_size: the number of training images set aside for validation, with the classes in proportion; 0 trains on
            all, as the papers do.
        split_seed: draws the split, so that runs of different seeds compare on the same images.
        **loading: those of `ImageDataModule`.
    """

    choice: ClassVar[str]  # in conf/data
    dataset: ClassVar[str]  # of the class in torchvision.datasets
    folder: ClassVar[str]  # of the files, in the root
    files: ClassVar[list[str]]

    def __init__(self, *, root: str, download: bool, val_size: int, split_seed: int, **loading: Any) -> None:
        super().__init__(**loading)
        self.root = Path(root).expanduser()
        self.download = download
        self.val_size = val_size
        self.split_seed = split_seed

    def prepare_data(self) -> None:
        """Download what is not there.

        Raises:
            UserError: when there are no files and they cannot be downloaded, or they cannot be read.
        """
        if not self.splits:  # Lightning asks again before fit and before test, when all has been read
            self.read(train=True, download=self.download)

    def load(self) -> dict[str, Batch]:
        """The two official sets, the first split."""
        rest, val = stratified_split(self.read(train=True), self.val_size, self.split_seed)
        return {"train": rest, "val": val, "test": self.read(train=False)}

    def read(self, train: bool, download: bool = False) -> Batch:
        """What torchvision reads, with its errors said in one line."""
        from torchvision import datasets  # seconds of imports that only these data sets need

        folder = self.root / self.folder
        new = [path for path in (folder, *folder.parents) if path.is_relative_to(self.root) and not path.exists()]
        try:
            with redirect_stdout(StringIO()), redirect_stderr(StringIO()):  # it prints a line for each failure
                read = getattr(datasets, self.dataset)(str(self.root), train=train, download=download)
        except Exception as error:  # each damage raises something else, an AssertionError for one
            with suppress(OSError):
                for path in new:
                    path.rmdir()
            if all((folder / name).is_file() for name in self.files):
                damaged = "".join([f"{name}: " for name in self.files if not is_readable(folder / name)][:1])
                raise UserError(
                    f"data={self.choice}: the files in {folder.resolve()} cannot be read ({damaged}{one_line(error)})"
                ) from error
            raise UserError(
                f"data={self.choice}: no files in {folder.resolve()} and no download: put there"
                f" {', '.join(self.files)}; or type data.root=FOLDER, that of {self.folder}/; or type data=digits,"
                " which needs no download"
            ) from error
        self.label_names = list(read.classes)
        x, y = torch.as_tensor(read.data), torch.as_tensor(read.targets)
        if len(x) != len(y):
            raise UserError(f"data={self.choice}: {len(x):,} images but {len(y):,} labels in {folder.resolve()}")
        return Batch(x[:, None] if x.dim() == 3 else x.permute(0, 3, 1, 2).contiguous(), y)


def is_readable(path: Path) -> bool:
    """Whether a file is a whole IDX file, as far as torchvision's reader can tell; another kind of file is."""
    from torchvision.datasets.mnist import read_sn3_pascalvincent_tensor

    try:
        return path.name not in IDX or read_sn3_pascalvincent_tensor(str(path)).dtype == torch.uint8
    except Exception:  # each damage raises something else
        return False


class MNISTDataModule(TorchvisionDataModule):
    """60,000 training and 10,000 test images of 1 x 28 x 28, digits 0 to 9 (LeCun et al. 1998)."""

    choice, dataset, folder, files = "mnist", "MNIST", "MNIST/raw", IDX


class FashionMNISTDataModule(TorchvisionDataModule):
    """60,000 training and 10,000 test images of 1 x 28 x 28, ten kinds of clothes (Xiao et al. 2017)."""

    choice, dataset, folder, files = "fashion_mnist", "FashionMNIST", "FashionMNIST/raw", IDX


class CIFAR10DataModule(TorchvisionDataModule):
    """50,000 training and 10,000 test images of 3 x 32 x 32, ten kinds of things (Krizhevsky 2009)."""

    choice, dataset, folder = "cifar10", "CIFAR10", "cifar-10-batches-py"
    files: ClassVar[list[str]] = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]
