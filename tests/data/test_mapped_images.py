"""Tests of writing and opening a cache."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_lightning.data.mapped_images import open_cache, seal
from vae_lightning.errors import UserError

N = 9
MANIFEST = {"count": N, "image_shape": [1, 4, 4], "sizes": {"train": 6, "val": 1, "test": 2}, "label_names": ["a", "b"]}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Return a sealed cache; image i is filled with i and labeled i."""
    partial = tmp_path / "small.partial"
    partial.mkdir()
    (partial / "images.u8").write_bytes(np.arange(N, dtype=np.uint8).repeat(16).tobytes())
    np.save(partial / "labels.npy", np.arange(N))
    seal(partial, tmp_path / "small", dict(MANIFEST))
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
    return tmp_path / "small"


def test_open_cache_returns_the_splits_in_order(cache):
    splits, label_names = open_cache(cache)
    assert {name: len(split.x) for name, split in splits.items()} == MANIFEST["sizes"]
    x, y = (torch.cat([split[k] for split in splits.values()]) for k in (0, 1))
    assert x.shape == (N, 1, 4, 4)
    assert x.dtype == torch.uint8
    assert torch.equal(y, torch.arange(N))
    assert torch.equal(x, y.to(torch.uint8)[:, None, None, None].expand(N, 1, 4, 4))
    assert label_names == ["a", "b"]


def test_open_cache_without_labels(tmp_path):
    partial = tmp_path / "small.partial"
    partial.mkdir()
    (partial / "images.u8").write_bytes(bytes(16 * N))
    seal(partial, tmp_path / "small", dict(MANIFEST))
    assert all(split.y is None for split in open_cache(tmp_path / "small").splits.values())


@pytest.mark.parametrize("file", ["images.u8", "labels.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "lose"])
def test_open_cache_reports_damage(file, damage, cache):
    path = cache / file
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[3] ^= 255  # in the header of labels.npy, in the text of manifest.json
    elif damage == "truncate":
        data = data[: len(data) // 2]
    else:
        del data[2]  # in manifest.json a blank, without which the JSON is equivalent
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"the cache .*small is damaged \(.+\). Delete it to build it again."):
        open_cache(cache)


@pytest.mark.parametrize("file", ["images.u8", "labels.npy", "manifest.json"])
def test_open_cache_reports_a_missing_file(file, cache):
    (cache / file).unlink()
    with pytest.raises(UserError, match=rf"the cache .*small is damaged \(.*{file}.*\). Delete it"):
        open_cache(cache)


def test_open_cache_reports_a_manifest_that_was_edited(cache):
    manifest = json.loads((cache / "manifest.json").read_text())
    manifest["sizes"] = {"train": 5, "val": 2, "test": 2}
    (cache / "manifest.json").write_text(json.dumps(manifest, indent=1))
    with pytest.raises(UserError, match=r"manifest.json has changed"):
        open_cache(cache)
