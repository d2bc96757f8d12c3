"""The cache of decoded images: whole or not there, never half."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lightning.data.cache import CHUNK, CacheContents, CacheSpec, ensure_cache, fingerprint, open_cache
from vae_lightning.errors import UserError
from vae_lightning.io.image_decoding import FolderSource

N = 5 * CHUNK + 7


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Images of 8 x 8, image i filled with i % 256."""
    folder = tmp_path_factory.mktemp("images")
    for i in range(N):
        Image.fromarray(np.full((8, 8), i % 256, np.uint8)).save(folder / f"{i:05}.png")
    return folder


def recipe(images: Path) -> CacheSpec:
    return CacheSpec("small", FolderSource(images), fingerprint(images.iterdir()), (1, 4, 4), None, "by order")


def plan() -> CacheContents:
    names = [f"{i:05}.png" for i in range(N)]
    return CacheContents(names, {"train": N - 30, "val": 10, "test": 20}, np.arange(N), [])


def check_whole(folder: Path) -> None:
    splits, _ = open_cache(folder)
    assert {name: len(split.x) for name, split in splits.items()} == {"train": N - 30, "val": 10, "test": 20}
    x, y = (torch.cat([split[k] for split in splits.values()]) for k in (0, 1))
    assert torch.equal(y, torch.arange(N))
    assert torch.equal(x, (y % 256).to(torch.uint8)[:, None, None, None].expand(N, 1, 4, 4))
    assert sorted(path.name for path in folder.parent.iterdir()) == [".lock", folder.name]


def test_it_holds_what_was_decoded_by_several_processes(images, tmp_path):
    ensure_cache(recipe(images), plan, tmp_path, skip_corrupt=False)
    check_whole(recipe(images).folder(tmp_path))


def test_it_is_found_again_where_the_source_was_moved(images, tmp_path):
    assert recipe(images).folder(tmp_path) == recipe(images)._replace(source=FolderSource(Path("/elsewhere"))).folder(
        tmp_path
    )
    others = [
        recipe(images)._replace(image_shape=(3, 4, 4)),
        recipe(images)._replace(crop=3),
        recipe(images)._replace(fingerprint="another"),
        recipe(images)._replace(split="another"),
    ]
    assert len({r.folder(tmp_path) for r in [recipe(images), *others]}) == 5


BUILD = """
if __name__ == "__main__":  # the processes that it starts import nothing of this
    import sys
    sys.path.insert(0, {tests!r})
    from test_cache import *
    print("go", flush=True)
    prepare(recipe(Path({images!r})), plan, Path({cache!r}), skip_corrupt=False)
"""


@pytest.mark.slow
def test_killed_anywhere_it_goes_on_and_nothing_half_is_trusted(images, tmp_path):
    cache, script = tmp_path / "cache", tmp_path / "build.py"
    script.write_text(BUILD.format(tests=str(Path(__file__).parent), images=str(images), cache=str(cache)))
    folder = recipe(images).folder(cache)
    kept = []
    for delay in (0.3, 1.0, 1.6):
        with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "go\n"
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        lines = folder.with_name(folder.name + ".partial") / "chunks.jsonl"
        kept.append(len(lines.read_text().splitlines()) if lines.exists() else 0)
        if folder.exists():
            break
    assert kept == sorted(kept) or folder.exists()
    ensure_cache(recipe(images), plan, cache, skip_corrupt=False)
    check_whole(folder)


def interrupted(images: Path, root: Path, chunks: int) -> Path:
    """A cache of which some chunks are finished, as a killed run leaves it."""
    import vae_lightning.data.cache as module

    def only_some(todo):
        yield from (module.decode_chunk(chunk) for chunk in todo[:chunks])
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "decode_in_parallel", only_some)
        with pytest.raises(KeyboardInterrupt):
            ensure_cache(recipe(images), plan, root, skip_corrupt=False)
    folder = recipe(images).folder(root)
    assert not folder.exists()
    return folder.with_name(folder.name + ".partial")


def test_what_was_finished_is_not_decoded_again(images, tmp_path, monkeypatch):
    interrupted(images, tmp_path, 3)
    decoded = []

    def counted(chunks):
        import vae_lightning.io.image_decoding as module

        decoded.extend(chunk.number for chunk in chunks)
        return map(module.decode_chunk, chunks)

    monkeypatch.setattr("vae_lightning.data.cache.decode_in_parallel", counted)
    ensure_cache(recipe(images), plan, tmp_path, skip_corrupt=False)
    assert decoded == [3, 4, 5]
    check_whole(recipe(images).folder(tmp_path))


@pytest.mark.parametrize("damage", ["a line cut short", "no line", "other bytes", "a shorter file"])
def test_a_damaged_beginning_is_done_again(damage, images, tmp_path):
    partial = interrupted(images, tmp_path, 3)
    record, data = partial / "chunks.jsonl", partial / "images.u8"
    if damage == "a line cut short":
        record.write_text(record.read_text()[:-10])
    elif damage == "no line":
        record.write_text("nonsense\n{}\n")
    elif damage == "other bytes":
        with data.open("r+b") as file:
            file.seek(20)
            file.write(b"\xff\xff")
    else:
        os.truncate(data, 100)
    ensure_cache(recipe(images), plan, tmp_path, skip_corrupt=False)
    check_whole(recipe(images).folder(tmp_path))


@pytest.mark.parametrize("file", ["images.u8", "labels.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "lose"])
def test_a_damaged_cache_is_named(file, damage, images, tmp_path):
    ensure_cache(recipe(images), plan, tmp_path, skip_corrupt=False)
    path = recipe(images).folder(tmp_path) / file
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[3] ^= 255  # in the header of labels.npy, in the text of manifest.json
    elif damage == "truncate":
        data = data[: len(data) // 2]
    else:
        del data[2]  # of manifest.json a blank, without which it says the same
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"the cache .*small-.* is damaged \(.+\). Delete it to build it again."):
        open_cache(path.parent)


def test_a_full_disk_is_told_before_the_work(images, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.posix_fallocate", full)
    monkeypatch.setattr("vae_lightning.data.cache.decode_chunk", None)
    with pytest.raises(
        UserError, match=r"cannot be written to .*No space left on device.* Free some space, or set data.cache"
    ):
        ensure_cache(recipe(images), plan, tmp_path, skip_corrupt=False)
    assert not recipe(images).folder(tmp_path).exists()


def test_a_folder_that_cannot_be_written_is_told(images, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written to .*/file/cache .*. Set data.cache to another directory."):
        ensure_cache(recipe(images), plan, tmp_path / "file" / "cache", skip_corrupt=False)


def test_the_manifest_says_what_it_was_made_of(images, tmp_path):
    ensure_cache(recipe(images), plan, tmp_path, skip_corrupt=False)
    manifest = json.loads((recipe(images).folder(tmp_path) / "manifest.json").read_text())
    assert manifest["source"] == str(images)
    assert manifest["count"] == N
    assert manifest["image_shape"] == [1, 4, 4]
    assert manifest["left_out"] == {}
    assert isinstance(manifest["crc32"], int)
