"""Reading run directories that are finished, unfinished, failed or damaged."""

import json

import pytest

from vae_lightning.errors import UserError
from vae_lightning.report.collect import find_runs, sweep_command


def test_find_runs_gives_the_state_and_the_reason_of_each_run(sweep):
    (sweep / "deep" / "1,0" / "metrics.json").write_text("{")
    states = {run.name: (run.state, run.reason) for run in find_runs(sweep)}
    assert states["failed"] == ("failed", "RuntimeError: no memory")
    assert states["cut <off>"][0] == "unfinished"
    assert "before the first checkpoint" in states["cut <off>"][1]
    assert states["deep/1,0"][0] == "failed"
    assert "unreadable file" in states["deep/1,0"][1]
    assert sum(state == "finished" for state, _ in states.values()) == 3


def test_find_runs_shows_interpolations_as_text(make_run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/secret-name")
    overrides = [f"x=${{new_folder:{tmp_path / 'created'}}}", "seed=${oc.env:HOME}"]
    make_run(tmp_path / "runs" / "a", {"test/nelbo": 1.0}, overrides=overrides)
    (run,) = find_runs(tmp_path / "runs")
    assert run.state == "finished"
    assert run.command == f"vae-lightning train 'x=${{new_folder:{tmp_path / 'created'}}}' 'seed=${{oc.env:HOME}}'"
    assert not (tmp_path / "created").exists()


def test_find_runs_replaces_control_characters(make_run, tmp_path):
    escape = "\x1b[31m\u202e"
    shown = r"\x1b[31m\u202e"
    folder = make_run(tmp_path / f"a{escape}", {"test/nelbo": 1.0, f"likelihood/{escape}": 1.0}, name=escape)
    (folder / ".hydra" / "overrides.yaml").write_text(json.dumps([f"name={escape}"]))
    (run,) = find_runs(tmp_path)
    assert run.folder == folder
    assert run.name == f"a{shown}"
    assert run.options["name"] == shown
    assert f"likelihood/{shown}" in run.metrics
    assert run.command == f"vae-lightning train 'name={shown}'"
    (folder / "failure.txt").write_text(f"ValueError: {escape}\nand more\n")
    assert find_runs(tmp_path)[0].reason == f"ValueError: {shown} and more"
    (folder / ".hydra" / "config.yaml").write_bytes(b"\x00")
    assert "\x1b" not in find_runs(tmp_path)[0].reason


def test_sweep_command_shows_interpolations_as_text_with_current_names(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/secret-name")
    task = f"['model.num_codes=1,4', 'x=${{new_folder:{tmp_path / 'created'}}}', 'seed=${{oc.env:HOME}}']"
    hydra = "['hydra.mode=MULTIRUN', 'hydra/sweeper=optuna']"
    (tmp_path / "multirun.yaml").write_text(f"hydra: {{overrides: {{hydra: {hydra}, task: {task}}}}}\n")
    assert sweep_command(tmp_path) == (
        "vae-lightning train -m hydra/sweeper=optuna model.codebook_size=1,4"
        f" 'x=${{new_folder:{tmp_path / 'created'}}}' 'seed=${{oc.env:HOME}}'"
    )
    assert not (tmp_path / "created").exists()


def test_sweep_command_of_other_directories_is_empty_and_of_damaged_ones_raises(tmp_path):
    assert sweep_command(tmp_path) == ""
    for content in ("{", "hydra: 3", "[]", "hydra: {overrides: {task: 3}}"):
        (tmp_path / "multirun.yaml").write_text(content)
        with pytest.raises(UserError, match=r"multirun.yaml: "):
            sweep_command(tmp_path)
