"""The drawn sprites, and the official dSprites' format."""

import numpy as np
import pytest
import torch
from on_disk import SIZES

from vae_lightning.data import DSpritesDataModule, SpritesDataModule
from vae_lightning.data.dsprites import FILE
from vae_lightning.data.sprites import draw, inside
from vae_lightning.errors import UserError

LOADING = {
    "num_classes": None,
    "batch_size": 8,
    "eval_batch_size": 16,
    "seed": 0,
    "binarize": "none",
    "validation_split": "val",
    "device_resident": "auto",
}


def sprites(**settings) -> SpritesDataModule:
    options = {"image_shape": [1, 32, 32], "factor_sizes": [3, 2, 4, 5, 6], "val_size": 20, "test_size": 50}
    return SpritesDataModule(**{**options, "split_seed": 0, **LOADING, **settings})


def test_every_combination_is_there_once():
    data = sprites()
    data.setup()
    y = torch.cat([split.y for split in data.splits.values()])
    assert len(y) == 3 * 2 * 4 * 5 * 6 == len(y.unique(dim=0))
    assert (y.amax(0) + 1).tolist() == [3, 2, 4, 5, 6]
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 650, "val": 20, "test": 50}
    assert all(set(split.x.unique().tolist()) == {0, 255} for split in data.splits.values())
    assert data.label_names == ["shape", "scale", "orientation", "x", "y"]


def test_each_factor_does_what_it_says():
    images, factors = draw([3, 2, 4, 5, 6], (32, 32))
    mass = (images > 0).float()
    area = mass.sum((1, 2))
    centre_x = (mass.sum(1) * torch.arange(32)).sum(1) / area
    centre_y = (mass.sum(2) * torch.arange(32)).sum(1) / area

    def where(**fixed):
        keep = torch.ones(len(factors), dtype=torch.bool)
        for name, value in fixed.items():
            keep &= factors[:, ["shape", "scale", "orientation", "x", "y"].index(name)] == value
        return keep

    for s in range(3):
        small, large = (area[where(shape=s, scale=k)].mean() for k in (0, 1))
        assert large / small == pytest.approx(4, rel=0.25)
        xs = [centre_x[where(shape=s, scale=1, orientation=0, y=2, x=i)].item() for i in range(5)]
        ys = [centre_y[where(shape=s, scale=1, orientation=0, x=2, y=j)].item() for j in range(6)]
        assert np.diff(xs) == pytest.approx([4] * 4)  # 16 pixels in 4 steps
        assert ys == sorted(ys)
        assert centre_x[where(shape=s, scale=1, orientation=0, x=2)].std() < 1e-4  # y moves nothing sideways


def test_shapes_have_their_symmetries_and_areas():
    sides = (64, 64)
    square, turned = (inside("square", 1.0, angle, sides) for angle in (0.0, np.pi / 2))
    assert np.array_equal(square, turned)
    ellipse, half, quarter = (inside("ellipse", 1.0, angle, sides) for angle in (0.0, np.pi, np.pi / 2))
    assert np.array_equal(ellipse, half)
    assert np.array_equal(ellipse, quarter.T)
    heart = inside("heart", 1.0, 0.0, sides)
    assert np.array_equal(heart, heart[:, ::-1])
    assert not np.array_equal(heart, inside("heart", 1.0, np.pi, sides))
    assert square.sum() / 64**2 == pytest.approx((1.4 / 2) ** 2, rel=0.05)
    assert ellipse.sum() / 64**2 == pytest.approx(np.pi / 2 / 4, rel=0.02)
    for shape in ("square", "ellipse", "heart"):  # nothing is cut off
        for angle in np.linspace(0, 2 * np.pi, 9):
            edge = inside(shape, 1.0, angle, (66, 66))
            assert int(edge.sum()) == pytest.approx(int(inside(shape, 1.0, 0.0, (66, 66)).sum()), rel=0.03)


def test_the_full_grid_has_the_size_of_dsprites():
    with pytest.raises(UserError, match=r"737,280 images are too few"):
        sprites(factor_sizes=[3, 6, 40, 32, 32], image_shape=[1, 16, 16], test_size=10**6).setup()


def test_mistakes_are_told():
    with pytest.raises(UserError, match=r"data.factor_sizes=\[4, 1, 1, 1, 1\]: must be \[shapes, scales"):
        sprites(factor_sizes=[4, 1, 1, 1, 1])
    with pytest.raises(UserError, match="sprites require at least 16 x 16 pixels"):
        sprites(image_shape=[1, 8, 8])


def dsprites(root, **settings) -> DSpritesDataModule:
    options = {"root": str(root), "download": False, "cache": None, "image_shape": [1, 64, 64], "val_size": 20}
    return DSpritesDataModule(**{**options, "test_size": 50, **LOADING, **settings})


def test_dsprites_keeps_image_and_factors_together(official):
    data = dsprites(official)
    data.prepare_data()
    data.setup()
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 650, "val": 20, "test": 50}
    seen = []
    for x, y in data.splits.values():
        assert set(x.unique().tolist()) == {0, 255}
        number = (x[:, 0, 0, :10].long() // 255 * 2 ** torch.arange(10)).sum(1)
        expected = np.stack(np.unravel_index(number.numpy(), SIZES), axis=1)
        assert np.array_equal(y.numpy(), expected)
        seen.append(number)
    order = torch.cat(seen)
    assert torch.equal(order.sort().values, torch.arange(720))
    assert not torch.equal(order, torch.arange(720))


def test_dsprites_is_unpacked_once(official, monkeypatch):
    first = dsprites(official)
    first.setup()
    monkeypatch.setattr("vae_lightning.data.dsprites.unpack", None)
    second = dsprites(official, val_size=30)
    second.setup()
    assert torch.equal(first.splits["test"].x, second.splits["test"].x)


@pytest.mark.parametrize("damage", ["cut", "flip", "others", "no grid"])
def test_what_is_not_the_official_file_is_refused(damage, official):
    path = official / FILE
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "flip":
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 255
        path.write_bytes(data)
    elif damage == "others":
        np.savez(path, pictures=np.zeros(3))
    else:
        factors = np.stack(np.unravel_index(np.arange(720), (1, *SIZES)), axis=1)
        np.savez(path, imgs=np.zeros((720, 64, 64), np.uint8), latents_classes=factors[::-1])
    with pytest.raises(UserError, match=r"dsprites_.*npz is not the official file \(.+\). Delete it"):
        dsprites(official).prepare_data()
    assert not list((official / "cache").glob("dsprites-*"))


def test_without_the_file_it_says_what_to_fetch(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"data=dsprites: no .*npz. Put it there, or set data.root"):
        dsprites(tmp_path).prepare_data()

    def no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    with pytest.raises(UserError, match=r"the download failed \(no network\). Put https://.*or use data=sprites"):
        dsprites(tmp_path, download=True).prepare_data()
    assert list(tmp_path.iterdir()) == []
