"""Tests of finding the files of onnxruntime-web. The package itself is used by tests/browser."""

import shutil
import subprocess

import pytest

from vae_lightning.errors import UserError
from vae_lightning.explorer.onnxruntime_web import FILES, copy_runtime


@pytest.mark.parametrize("inside", [".", "dist", "package/dist"])
def test_files_are_copied_from_an_unpacked_package(tmp_path, inside):
    dist = tmp_path / "source" / inside
    dist.mkdir(parents=True)
    for name in FILES:
        (dist / name).write_text(name)
    copy_runtime(tmp_path / "ort", tmp_path / "source")
    assert {path.name: path.read_text() for path in (tmp_path / "ort").iterdir()} == {
        target: name for name, target in FILES.items()
    }


def test_folder_without_the_files_is_rejected(tmp_path):
    with pytest.raises(UserError, match=r"--onnxruntime=.*: has no ort.wasm.bundle.min.mjs and ort-wasm-simd"):
        copy_runtime(tmp_path / "ort", tmp_path)


def test_existing_files_are_not_downloaded_again(tmp_path, monkeypatch):
    for name in FILES.values():
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(shutil, "which", lambda name: pytest.fail("downloads"))
    copy_runtime(tmp_path, None)


def test_missing_npm_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"--static: npm .* is not installed\. Install npm, or pass .*--onnxrun"):
        copy_runtime(tmp_path, None)


def test_failing_npm_is_reported(tmp_path, monkeypatch):
    def fail(command, **options):
        raise subprocess.CalledProcessError(1, command, stderr="npm error\nno network\n")

    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/npm")
    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(UserError, match=r"npm cannot download onnxruntime-web@\S+ \(no network\)\. Install npm, or"):
        copy_runtime(tmp_path, None)
