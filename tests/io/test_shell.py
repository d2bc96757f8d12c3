"""Commands that are shown to be typed."""

import sys

from vae_lightning.io.shell import resume_command


def test_resume_command_finds_choices_where_this_one_did(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    own = ["--config-dir", "my conf", "hydra.searchpath=[pkg://mine]"]
    monkeypatch.setattr(sys, "argv", ["train.py", own[0], own[1], "model=mine", own[2], "seed=1"])
    expected = "python train.py --config-dir 'my conf' 'hydra.searchpath=[pkg://mine]' resume=runs/a"
    assert resume_command(tmp_path / "runs" / "a") == expected
    monkeypatch.setattr(sys, "argv", ["/bin/vae-lightning", "model=mine"])
    assert resume_command(tmp_path / "b") == "vae-lightning train resume=b"
