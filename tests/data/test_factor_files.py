"""Tests of datasets of factors in files: small ones in the official formats, whose images encode their factors."""

import gzip
import tarfile
from collections.abc import Callable
from io import BytesIO
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from vae_lightning.data import (
    Batch,
    Cars3DDataModule,
    FactorDataModule,
    MPI3DDataModule,
    Shapes3DDataModule,
    SmallNORBDataModule,
    mpi3d,
    small_norb,
)
from vae_lightning.errors import UserError

SMALL = {"download": False, "val_size": 5, "test_size": 20}
SHAPES3D = (2, 3, 2, 2, 3, 2)
MPI3D = (2, 3, 2, 1, 3, 4, 2)
CARS3D = (4, 3, 5)  # elevations, azimuths, cars
NORB = (2, 3, 4, 2)  # categories, elevations, azimuths, lightings
TOYS = 4  # of each category, half of them in each part


def combinations(sizes: tuple[int, ...]) -> np.ndarray:
    """Return all combinations of factors, of which the last varies fastest: int64 (N, A)."""
    return np.stack(np.unravel_index(np.arange(prod(sizes)), sizes), axis=1)


def images_of(factors: np.ndarray, size: int, channels: int = 3) -> np.ndarray:
    """Return images (N, size, size, channels) of one color each, which is that of a single combination of factors."""
    base = factors.max(axis=0) + 1
    index = np.ravel_multi_index(tuple(factors.T), base)
    colors = np.stack([index % 251, index // 251, 255 - index % 251], axis=1).astype(np.uint8)[:, :channels]
    return np.broadcast_to(colors[:, None, None], (len(index), size, size, channels)).copy()


def write_shapes3d(root: Path) -> None:
    h5py = pytest.importorskip("h5py")
    factors = combinations(SHAPES3D)
    with h5py.File(root / "3dshapes.h5", "w") as file:
        file.create_dataset("images", data=images_of(factors, 64), compression="gzip", fletcher32=True)
        file.create_dataset("labels", data=factors * [0.1, 0.1, 0.1, 0.07, 1, 4.3] + [0, 0, 0, 0.75, 0, -30])


def write_mpi3d(root: Path) -> None:
    np.savez_compressed(root / "mpi3d_real.npz", images=images_of(combinations(MPI3D), 64))


def write_cars3d(root: Path) -> None:
    images = images_of(combinations(CARS3D), 128).reshape(*CARS3D, 128, 128, 3)
    with tarfile.open(root / "nips2015-analogy-data.tar.gz", "w:gz") as archive:
        for car in reversed(range(CARS3D[2])):  # in another order than that of the names
            file = BytesIO()
            savemat(file, {"im": images[:, :, car].transpose(2, 3, 4, 1, 0), "mask": np.zeros(3)})
            member = tarfile.TarInfo(f"data/cars/car_{car:03}_mesh.mat")
            member.size = file.tell()
            file.seek(0)
            archive.addfile(member, file)
        archive.addfile(tarfile.TarInfo("data/shapes48.mat"))


def write_matrix(path: Path, array: np.ndarray) -> None:
    magic = 0x1E3D4C55 if array.dtype == np.uint8 else 0x1E3D4C54
    header = [magic, array.ndim, *array.shape, *[1] * (3 - array.ndim)]
    with gzip.open(path, "wb") as file:
        file.write(np.array(header, "<i4").tobytes() + array.tobytes())


def write_small_norb(root: Path) -> None:
    factors = combinations((TOYS, *NORB))
    images = images_of(factors[:, 1:], 96, channels=1)[..., 0]
    order = np.random.default_rng(0).permutation(len(factors))
    for part, is_part in zip(small_norb.PARTS, (factors[order, 0] < 2, factors[order, 0] >= 2), strict=True):
        rows = order[is_part]
        toy, category, elevation, azimuth, lighting = factors[rows].T.astype(np.int32)
        contents = {
            "dat": np.stack([images[rows], 255 - images[rows]], axis=1),
            "cat": category,
            "info": np.stack([toy, elevation, 2 * azimuth, lighting], axis=1),
        }
        for kind, array in contents.items():
            write_matrix(root / small_norb.URL.format(part=part, kind=kind).rpartition("/")[2], array)


DATA: dict[str, tuple[Callable[[Path], None], Callable[..., FactorDataModule], tuple[int, ...], int]] = {
    "shapes3d": (write_shapes3d, Shapes3DDataModule, SHAPES3D, 1),
    "mpi3d": (write_mpi3d, lambda **options: MPI3DDataModule(variant="real", **options), MPI3D, 1),
    "cars3d": (write_cars3d, Cars3DDataModule, CARS3D, 1),
    "small_norb": (write_small_norb, SmallNORBDataModule, NORB, TOYS),
}


@pytest.fixture
def files(request, tmp_path, monkeypatch) -> Callable[..., FactorDataModule]:
    """Write a small dataset; return a function that creates its data module."""
    write, module, _, _ = DATA[request.param]
    monkeypatch.setattr(mpi3d, "SIZES", (MPI3D,))
    monkeypatch.setattr("vae_lightning.data.npz.ROWS", 50)  # several blocks, of which the last is smaller
    monkeypatch.setattr("vae_lightning.data.shapes3d.ROWS", 50)
    monkeypatch.setattr("vae_lightning.data.small_norb.ROWS", 50)
    write(tmp_path)
    return lambda **options: module(**{"root": str(tmp_path), **SMALL, **options})


@pytest.mark.parametrize(("files", "choice"), [(name, name) for name in DATA], indirect=["files"])
def test_images_and_factors_are_aligned(files, choice):
    _, _, sizes, repeats = DATA[choice]
    data = files()
    data.prepare_data()
    data.setup()
    x, y = (torch.cat(parts) for parts in zip(*data.splits.values(), strict=True))
    assert {name: len(split.x) for name, split in data.splits.items()} == {"test": 20, "val": 5, "train": len(x) - 25}
    assert data.label_names == list(data.factor_names)
    expected = np.repeat(combinations(sizes), repeats, axis=0)
    order = np.lexsort(y.numpy().T[::-1])
    assert np.array_equal(y.numpy()[order], expected)
    assert not np.array_equal(y.numpy(), expected)  # in random order
    expected = images_of(y.numpy(), 64, channels=x.shape[1]).transpose(0, 3, 1, 2)
    assert np.array_equal(x.numpy(), expected)


@pytest.mark.parametrize(("files", "choice"), [(name, name) for name in DATA], indirect=["files"])
def test_images_are_resized_and_unpacked_once(files, choice, monkeypatch):
    channels = 1 if choice == "small_norb" else 3
    small = files(image_shape=(channels, 32, 16))
    small.setup()
    assert small.splits["train"].x.shape[1:] == (channels, 32, 16)
    large = files()
    large.setup()
    assert torch.equal(small.splits["test"].x, large.splits["test"].x[:, :, :32, :16])  # of one color
    monkeypatch.setattr("vae_lightning.data.factor_files.FactorFilesDataModule.unpack", None)
    again = files(val_size=0)
    again.setup()
    assert torch.equal(again.splits["test"].x, large.splits["test"].x)


@pytest.mark.parametrize(("files", "choice"), [(name, name) for name in DATA], indirect=["files"])
def test_damaged_and_missing_files_are_reported(files, choice, tmp_path):
    path = files().paths[0]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=rf"^data={choice}: .*{path.name} cannot be read \(.+\)\. Download it again"):
        files().setup()
    assert not list((tmp_path / "cache").glob(f"{choice}*"))
    path.unlink()
    with pytest.raises(UserError, match=rf"^data={choice}: no .*{path.name}\. Put it there, or set data\.root"):
        files().setup()


@pytest.mark.parametrize("files", ["mpi3d"], indirect=True)
def test_other_files_are_rejected(files, tmp_path):
    with pytest.raises(UserError, match=r"^data\.image_shape=\[1, 64, 64\]: the images have 3 channels\. Set"):
        files(image_shape=(1, 64, 64)).setup()
    np.savez(tmp_path / "mpi3d_real.npz", images=np.zeros((7, 64, 64, 3), np.uint8))
    with pytest.raises(UserError, match=r"mpi3d_real\.npz cannot be read \(it has 7 images\)"):
        files().setup()
    np.savez(tmp_path / "mpi3d_real.npz", images=np.zeros((288, 64, 64, 3)))
    with pytest.raises(UserError, match=r"cannot be read \(its images are float64 \(288, 64, 64, 3\)\)"):
        files().setup()


def test_unknown_variant_is_rejected():
    with pytest.raises(UserError, match=r"^data\.variant=fake: not a valid choice\. Choose one of toy, realis"):
        MPI3DDataModule(variant="fake")


@pytest.mark.parametrize("files", ["small_norb"], indirect=True)
def test_partners_are_any_toy_of_a_combination(files):
    data = files(pairs=1, val_size=0)
    data.setup()
    x, y = data.splits["train"]
    data.splits["train"] = Batch((torch.arange(len(x)) % 256).byte().view(-1, 1, 1, 1), y)  # tells the toys apart
    partners = data.random_partners(y.repeat(40, 1))
    assert ((partners.y != y.repeat(40, 1)).sum(1) == 1).all()
    combination = np.ravel_multi_index(tuple(partners.y.numpy().T), NORB)
    toys = {(int(c), int(v)) for c, v in zip(combination, partners.x[:, 0, 0, 0], strict=True)}
    assert len(toys) == len(x)  # every training image was drawn
