"""Tests of `vae-lightning new`, which creates a project."""

import subprocess
import sys

import pytest

from vae_lightning.cli.main import main

COMMAND = [sys.executable, "-m", "vae_lightning"]


@pytest.mark.slow
def test_new_project_trains_evaluates_and_passes_its_test(tmp_path):
    def run(*command: str) -> str:
        result = subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    main(["new", str(tmp_path / "project")])
    run(*COMMAND, "train", "experiment=first", "trainer.max_epochs=1", "callbacks=minimal")
    quick = ["--quick", "--only", "likelihood", "--samples", "5"]
    assert "log_px" in run(*COMMAND, "evaluate", "latest", *quick, "--trust", "my_model", "my_data")
    assert "1 passed" in run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider")


def test_existing_directory_is_unchanged(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SystemExit, match=r"^error: .*: already exists. Choose the name of a new directory.$"):
        main(["new", str(tmp_path)])
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
