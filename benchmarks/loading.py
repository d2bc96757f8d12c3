"""Compare the speed of data loading with torchvision and a DataLoader, all measured in one run.

    python benchmarks/loading.py --root data                # MNIST in data/MNIST/raw, and JPEGs generated on the spot
    python benchmarks/loading.py --root data --jpegs 2000   # faster

A pass is one epoch of shuffled batches of 128, as in training. The best of three passes counts, for the DataLoader the
best of two.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets, transforms

from vae_lightning.data import ImageDataModule, ImageFolderDataModule, MNISTDataModule

BATCH_SIZE = 128
LOADING = {
    "batch_size": BATCH_SIZE,
    "eval_batch_size": 500,
    "seed": 0,
    "binarize": "none",
    "validation_split": "val",
    "device_resident": False,
}


def images_per_second(batches: Callable[[], Iterable[tuple[torch.Tensor, torch.Tensor]]], passes: int = 3) -> float:
    """Return the images/s of the best pass over all batches, including their conversion to float, as in the model."""
    best = 0.0
    for _ in range(passes):
        start, n = time.perf_counter(), 0
        for batch in batches():
            x = batch[0]
            x = x.float() / 255 if x.dtype == torch.uint8 else x
            n += len(x)
        best = max(best, n / (time.perf_counter() - start))
    return best


def torch_loader(dataset: Dataset, workers: int) -> DataLoader:
    """Return a DataLoader as in most training scripts."""
    return DataLoader(dataset, BATCH_SIZE, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def compare(name: str, datamodule: ImageDataModule, dataset: Dataset, table: Table) -> None:
    """Add one row for the data module, and one each for a DataLoader with 0 and 2 workers."""
    rates = {"vae_lightning": images_per_second(datamodule.train_dataloader)}
    for workers in (0, 2):
        batches = torch_loader(dataset, workers)
        rates[f"torchvision + DataLoader, {workers} workers"] = images_per_second(lambda b=batches: b, passes=2)  # type: ignore[misc]
    for loader, rate in rates.items():
        table.add_row(name, loader, f"{rate:,.0f}", f"{rates['vae_lightning'] / rate:.1f}")


def make_jpegs(folder: Path, n: int, size: tuple[int, int] = (178, 218)) -> None:
    """Write n JPEGs, by default of the size of CelebA's: smooth noise, which compresses like photographs."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for i in range(n):
        coarse = Image.fromarray(generator.integers(0, 256, (14, 11, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{i:06}.jpg", quality=90)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="directory that contains MNIST/raw/")
    parser.add_argument("--jpegs", type=int, default=20_000, help="number of JPEGs")
    args = parser.parse_args()
    table = Table("images", "loader", "images/s", "times slower")

    mnist = MNISTDataModule(
        root=args.root, download=False, val_size=0, split_seed=0, image_shape=(1, 28, 28), num_classes=10, **LOADING
    )
    mnist.setup()
    compare("MNIST", mnist, datasets.MNIST(args.root, transform=transforms.ToTensor()), table)

    with tempfile.TemporaryDirectory() as folder:
        make_jpegs(Path(folder) / "train" / "0", args.jpegs)
        make_jpegs(Path(folder) / "test" / "0", 10)
        seconds = []  # for building the cache, then for opening it
        for _ in range(2):
            start = time.perf_counter()
            jpegs = ImageFolderDataModule(
                root=folder, cache=None, crop=148, skip_corrupt=False, image_shape=(3, 64, 64), num_classes=None,
                val_fraction=0.0, test_fraction=0.0, split_seed=0, **LOADING,
            )  # fmt: skip
            jpegs.setup()
            seconds.append(time.perf_counter() - start)
        transform = transforms.Compose([transforms.CenterCrop(148), transforms.Resize(64), transforms.ToTensor()])
        compare("JPEGs", jpegs, datasets.ImageFolder(f"{folder}/train", transform), table)

    console = Console()
    console.print(table)
    console.print(
        f"cache: built in {10_000 * seconds[0] / args.jpegs:.1f} s per 10,000 JPEGs, opened in {seconds[1]:.2f} s"
    )
    console.print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
