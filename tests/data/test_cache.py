"""Tests of building a cache: it is complete or does not exist, and an interrupted build is resumed."""

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

from vae_lightning.data.cache import CHUNK, CacheContents, CacheSpec, ensure_cache, fingerprint
from vae_lightning.data.mapped_images import open_cache
from vae_lightning.errors import UserError
from vae_lightning.io.image_decoding import decode_chunk
from vae_lightning.io.image_sources import FolderSource

N = 5 * CHUNK + 7


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Return a directory of 8 x 8 images; image i is filled with i % 256."""
    folder = tmp_path_factory.mktemp("images")
    for i in range(N):
        Image.fromarray(np.full((8, 8), i % 256, np.uint8)).save(folder / f"{i:05}.png")
    return folder


def spec(images: Path) -> CacheSpec:
    """Return how the images are decoded."""
    return CacheSpec(
        "small",
        FolderSource(images),
        fingerprint({path.name: path for path in images.iterdir()}),
        (1, 4, 4),
        None,
        "by order",
    )


def contents() -> CacheContents:
    """Return the images in order, labeled with their index."""
    names = [f"{i:05}.png" for i in range(N)]
    return CacheContents(names, {"train": N - 30, "val": 10, "test": 20}, np.arange(N), [])


def check_complete(folder: Path) -> None:
    """Check all images and labels of a cache, and that nothing else is beside it."""
    splits, _ = open_cache(folder)
    assert {name: len(split.x) for name, split in splits.items()} == {"train": N - 30, "val": 10, "test": 20}
    x, y = (torch.cat([split[k] for split in splits.values()]) for k in (0, 1))
    assert torch.equal(y, torch.arange(N))
    assert torch.equal(x, (y % 256).to(torch.uint8)[:, None, None, None].expand(N, 1, 4, 4))
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name]


def test_ensure_cache_decodes_in_several_processes(images, tmp_path):
    ensure_cache(spec(images), contents, tmp_path, skip_corrupt=False)
    check_complete(spec(images).folder(tmp_path))


def test_cache_spec_folder_depends_on_everything_but_the_path_of_the_source(images, tmp_path):
    moved = spec(images)._replace(source=FolderSource(Path("/elsewhere")))
    assert moved.folder(tmp_path) == spec(images).folder(tmp_path)
    others = [
        spec(images)._replace(image_shape=(3, 4, 4)),
        spec(images)._replace(crop=3),
        spec(images)._replace(fingerprint="another"),
        spec(images)._replace(split="another"),
    ]
    assert len({other.folder(tmp_path) for other in [spec(images), *others]}) == 5


BUILD = """
if __name__ == "__main__":  # not in the worker processes, which import this file too
    import sys
    sys.path.insert(0, {tests!r})
    from test_cache import *
    import vae_lightning.data.cache as module

    def decode_slowly(jobs, decode_in_parallel=module.decode_in_parallel):
        for chunk in decode_in_parallel(jobs):
            yield chunk
            time.sleep(0.5)  # so that the test can kill the process between two chunks

    module.decode_in_parallel = decode_slowly
    print("building", flush=True)
    ensure_cache(spec(Path({images!r})), contents, Path({cache!r}), skip_corrupt=False)
"""


@pytest.mark.slow
def test_ensure_cache_resumes_a_build_that_was_killed(images, tmp_path):
    cache, script = tmp_path / "cache", tmp_path / "build.py"
    script.write_text(BUILD.format(tests=str(Path(__file__).parent), images=str(images), cache=str(cache)))
    folder = spec(images).folder(cache)
    record = folder.with_name(folder.name + ".partial") / "chunks.jsonl"

    def completed() -> int:
        """Return the number of chunks that are recorded as completed."""
        return record.read_text().count("\n") if record.exists() else 0

    for chunks in (0, 2, 4):
        with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "building\n"
            while completed() < chunks:
                assert process.poll() is None, "the build ended before it was killed"
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert chunks <= completed() < N / CHUNK
        assert not folder.exists()
    ensure_cache(spec(images), contents, cache, skip_corrupt=False)
    check_complete(folder)


def interrupted_build(images: Path, root: Path, chunks: int) -> Path:
    """Return an unfinished cache with some completed chunks, as left behind by a killed process."""
    import vae_lightning.data.cache as module

    def decode_some(jobs):
        yield from (module.decode_chunk(job) for job in jobs[:chunks])
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "decode_in_parallel", decode_some)
        with pytest.raises(KeyboardInterrupt):
            ensure_cache(spec(images), contents, root, skip_corrupt=False)
    folder = spec(images).folder(root)
    assert not folder.exists()
    return folder.with_name(folder.name + ".partial")


def test_ensure_cache_does_not_decode_completed_chunks_again(images, tmp_path, monkeypatch):
    interrupted_build(images, tmp_path, 3)
    decoded = []

    def decode_and_count(jobs):
        decoded.extend(job.number for job in jobs)
        return map(decode_chunk, jobs)

    monkeypatch.setattr("vae_lightning.data.cache.decode_in_parallel", decode_and_count)
    ensure_cache(spec(images), contents, tmp_path, skip_corrupt=False)
    assert decoded == [3, 4, 5]
    check_complete(spec(images).folder(tmp_path))


@pytest.mark.parametrize("damage", ["truncated record", "invalid record", "changed images", "truncated images"])
def test_ensure_cache_decodes_damaged_chunks_again(damage, images, tmp_path):
    partial = interrupted_build(images, tmp_path, 3)
    record, data = partial / "chunks.jsonl", partial / "images.u8"
    if damage == "truncated record":
        record.write_text(record.read_text()[:-10])
    elif damage == "invalid record":
        record.write_text("nonsense\n{}\n")
    elif damage == "changed images":
        with data.open("r+b") as file:
            file.seek(20)
            file.write(b"\xff\xff")
    else:
        os.truncate(data, 100)
    ensure_cache(spec(images), contents, tmp_path, skip_corrupt=False)
    check_complete(spec(images).folder(tmp_path))


def test_ensure_cache_reports_a_full_disk_before_decoding(images, tmp_path, monkeypatch):
    def raise_disk_full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.posix_fallocate", raise_disk_full)
    monkeypatch.setattr("vae_lightning.data.cache.decode_chunk", None)
    with pytest.raises(
        UserError, match=r"cannot be written to .*No space left on device.* Free some space, or set data.cache"
    ):
        ensure_cache(spec(images), contents, tmp_path, skip_corrupt=False)
    assert not spec(images).folder(tmp_path).exists()


def test_ensure_cache_reports_a_directory_that_cannot_be_written(images, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be written to .*/file/cache .*. Set data.cache to another directory."):
        ensure_cache(spec(images), contents, tmp_path / "file" / "cache", skip_corrupt=False)


def test_manifest_describes_the_source_and_the_images(images, tmp_path):
    ensure_cache(spec(images), contents, tmp_path, skip_corrupt=False)
    manifest = json.loads((spec(images).folder(tmp_path) / "manifest.json").read_text())
    assert manifest["source"] == str(images)
    assert manifest["count"] == N
    assert manifest["image_shape"] == [1, 4, 4]
    assert manifest["left_out"] == {}
    assert isinstance(manifest["crc32"], int)
