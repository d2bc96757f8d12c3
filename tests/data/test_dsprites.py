"""Tests of dSprites, read from a small file in the official format."""

import numpy as np
import pytest
import torch
from on_disk import SIZES

from vae_lightning.data import DSpritesDataModule
from vae_lightning.data.dsprites import FILE
from vae_lightning.errors import UserError


def dsprites(root, **options) -> DSpritesDataModule:
    return DSpritesDataModule(**{"root": str(root), "download": False, "val_size": 20, "test_size": 50, **options})


def test_dsprites_keeps_images_and_factors_aligned(dsprites_root):
    data = dsprites(dsprites_root)
    data.prepare_data()
    data.setup()
    assert {name: len(split.x) for name, split in data.splits.items()} == {"train": 650, "val": 20, "test": 50}
    indices = []
    for x, y in data.splits.values():
        assert set(x.unique().tolist()) == {0, 255}
        index = (x[:, 0, 0, :10].long() // 255 * 2 ** torch.arange(10)).sum(1)
        expected = np.stack(np.unravel_index(index.numpy(), SIZES), axis=1)
        assert np.array_equal(y.numpy(), expected)
        indices.append(index)
    order = torch.cat(indices)
    assert torch.equal(order.sort().values, torch.arange(720))
    assert not torch.equal(order, torch.arange(720))


def test_dsprites_unpacks_the_file_once(dsprites_root, monkeypatch):
    first = dsprites(dsprites_root)
    first.setup()
    monkeypatch.setattr("vae_lightning.data.factor_files.FactorFilesDataModule.unpack", None)
    second = dsprites(dsprites_root, val_size=30)
    second.setup()
    assert torch.equal(first.splits["test"].x, second.splits["test"].x)


@pytest.mark.parametrize("damage", ["truncated", "changed byte", "other arrays", "no grid"])
def test_dsprites_rejects_other_files(damage, dsprites_root):
    path = dsprites_root / FILE
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "changed byte":
        data = bytearray(path.read_bytes())
        data[len(data) // 3] ^= 255
        path.write_bytes(data)
    elif damage == "other arrays":
        np.savez(path, pictures=np.zeros(3))
    else:
        factors = np.stack(np.unravel_index(np.arange(720), (1, *SIZES)), axis=1)
        np.savez(path, imgs=np.zeros((720, 64, 64), np.uint8), latents_classes=np.roll(factors, 1, axis=0) // 2)
    with pytest.raises(UserError, match=r"dsprites_.*npz cannot be read \(.+\). Download it again"):
        dsprites(dsprites_root).prepare_data()
    assert not list((dsprites_root / "cache").glob("dsprites-*"))


def test_dsprites_without_the_file_reports_where_to_get_it(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"data=dsprites: no .*npz. Put it there, or set data.root"):
        dsprites(tmp_path).prepare_data()

    def raise_no_network(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", raise_no_network)
    with pytest.raises(UserError, match=r"the download failed \(no network\). Put https://.*or use data=sprites"):
        dsprites(tmp_path, download=True).prepare_data()
    assert list(tmp_path.iterdir()) == []
