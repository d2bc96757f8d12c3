"""MNIST (LeCun et al. 1998), read and downloaded by torchvision."""

from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_lightning.data.base import ImageDataModule, stratified_split
from vae_lightning.data.batches import Batch
from vae_lightning.errors import UserError, one_line

if TYPE_CHECKING:
    from torchvision.datasets import MNIST

FILES = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]


class MNISTDataModule(ImageDataModule):
    """60,000 training and 10,000 test images of 1 x 28 x 28, labels 0 to 9.

    Args:
        root: the folder that holds, or is to hold, `MNIST/raw/`.
        download: fetch the files when they are not there.
        val_size: the number of training images set aside for validation; 0 trains on all 60,000, as the papers do.
        split_seed: draws the split, so that runs of different seeds compare on the same images.
        **loading: those of `ImageDataModule`.
    """

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
        """The official test set; the official training set less a validation set with the classes in proportion."""
        train, test = self.read(train=True), self.read(train=False)
        rest, val = stratified_split(Batch(train.data[:, None], train.targets), self.val_size, self.split_seed)
        return {"train": rest, "val": val, "test": Batch(test.data[:, None], test.targets)}

    def read(self, train: bool, download: bool = False) -> "MNIST":
        """torchvision's reader, with its errors said in one line."""
        from torchvision.datasets import MNIST  # seconds of imports that only this data set needs

        raw = self.root / "MNIST" / "raw"
        new_folders = [folder for folder in (raw, raw.parent, self.root) if not folder.exists()]
        try:
            with redirect_stdout(StringIO()):  # it prints a line for each mirror that fails
                return MNIST(str(self.root), train=train, download=download)
        except (RuntimeError, ValueError, OSError) as error:
            with suppress(OSError):
                for folder in new_folders:
                    folder.rmdir()
            if all((raw / name).is_file() for name in FILES):
                raise UserError(
                    f"data=mnist: the files in {raw.resolve()} cannot be read ({one_line(error)})"
                ) from error
            raise UserError(
                f"data=mnist: no files in {raw.resolve()} and no download: put there {', '.join(FILES)};"
                " or type data.root=FOLDER, that of MNIST/raw/; or type data=digits, which needs no download"
            ) from error
