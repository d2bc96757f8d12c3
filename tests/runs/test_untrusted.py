"""Tests of reading the files of an untrusted run."""

import os
from pathlib import Path

import pytest
import yaml

from vae_lightning.errors import UserError
from vae_lightning.runs.artifacts import read_config, read_metrics, read_overrides
from vae_lightning.runs.layout import find_checkpoint
from vae_lightning.runs.untrusted import MAX_BYTES, parse_yaml


@pytest.fixture
def run(tmp_path) -> Path:
    run_dir = tmp_path / "run"
    (run_dir / ".hydra").mkdir(parents=True)
    (run_dir / "checkpoints").mkdir()
    (run_dir / ".hydra" / "config.yaml").write_text("run_dir: here\nmodel: {}\ndata: {}\ntrainer: {}\n")
    (tmp_path / "secret").write_text("a: 2\n")
    return run_dir


READERS = {".hydra/config.yaml": read_config, ".hydra/overrides.yaml": read_overrides, "metrics.json": read_metrics}


@pytest.mark.parametrize("name", READERS)
def test_link_to_a_file_outside_of_the_run_raises(name, run):
    (run / name).unlink(missing_ok=True)
    (run / name).symlink_to(run.parent / "secret")
    with pytest.raises(UserError, match="a link to a file outside of the run"):
        READERS[name](run)


@pytest.mark.parametrize("name", READERS)
def test_pipe_raises_without_blocking(name, run):
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    with pytest.raises(UserError, match="not a regular file"):
        READERS[name](run)


@pytest.mark.parametrize("name", READERS)
def test_huge_file_raises(name, run):
    (run / name).write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(UserError, match="larger than 4,194,304 bytes"):
        READERS[name](run)


def test_checkpoint_must_be_a_regular_file_in_the_run(run):
    (run / "checkpoints" / "best.ckpt").symlink_to(run.parent / "secret")
    with pytest.raises(UserError, match="a link to a file outside of the run"):
        find_checkpoint(run, preferred="best")
    (run / "checkpoints" / "best.ckpt").unlink()
    os.mkfifo(run / "checkpoints" / "best.ckpt")
    with pytest.raises(UserError, match="not a regular file"):
        find_checkpoint(run, preferred="best")


def test_run_directory_can_be_a_link(run):
    (run.parent / "link").symlink_to(run)
    assert read_config(run.parent / "link") == {"run_dir": "here", "model": {}, "data": {}, "trainer": {}}


def test_parse_yaml_returns_plain_data():
    assert parse_yaml("a: [1, 1e-3, 1.5, x, null, true]\nb: '${oc.env:HOME}'") == {
        "a": [1, 0.001, 1.5, "x", None, True],
        "b": "${oc.env:HOME}",
    }


@pytest.mark.parametrize(
    "text",
    ["a: &x [1]\nb: *x", "[" * 100 + "]" * 100, "!!python/object/apply:os.system ['ls']", "!!python/name:os.system"],
)
def test_yaml_with_aliases_tags_or_deep_nesting_raises(text):
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)
