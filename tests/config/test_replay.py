"""Tests that resuming an untrusted run does not replay overrides that could run code."""

import sys
from pathlib import Path

import pytest

from vae_lightning.config.overrides import expand_resume
from vae_lightning.config.replay import check_replayable, resume_command
from vae_lightning.errors import UserError

RUN = Path("runs/vae-digits/latest")


@pytest.mark.parametrize(
    "override",
    [
        "model=cvae",
        "model/network=mlp",
        "model.beta=4",
        "+model.beta=1e-3",
        "~callbacks.progress_bar",
        "data.root=../shared/data",
        "+callbacks.stop._target_=lightning.pytorch.callbacks.EarlyStopping",
        "model._target_='vae_lightning.models.BetaVAE'",
        "++callbacks.stop={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/objective, patience: 5}",
        "+callbacks.temperature={_target_: 'vae_lightning.callbacks.Schedule', attribute: gamma, start: 1.0}",
    ],
)
def test_ordinary_overrides_are_replayed(override):
    check_replayable([override], RUN)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("seed=${oc.env:SECRET}", "contains an interpolation"),
        ("x=${new_folder:owned}", "contains an interpolation"),
        ("hydra.callbacks.x._target_=os.system", "configures Hydra itself"),
        ("hydra/launcher=joblib", "configures Hydra itself"),
        ("+hydra.searchpath=[/tmp]", "configures Hydra itself"),
        ("--config-dir=/tmp", "configures Hydra itself"),
        ("model=../../../elsewhere/evil", "names a file outside of conf/"),
        ("model._target_=os.system", "names a class that is not trusted"),
        ("trust=[evil]", "trusts a package"),
        ("model._target_=torch.load", "names a class that is not trusted"),
        (
            "+callbacks.x._target_=lightning.pytorch.callbacks.ModelCheckpoint.to_yaml",
            "names a class that is not trusted",
        ),
        ("+logger.x._target_=torch.utils.cpp_extension.load_inline", "names a class that is not trusted"),
        (
            "+callbacks.x._target_=lightning.pytorch.callbacks.finetuning.warnings.warn",
            "names a class that is not trusted",
        ),
        ("+callbacks.x={_target_: os.system, command: ls}", "names a class that is not trusted"),
        ("+callbacks.x=[{_target_: os.system, command: ls}]", "names a class that is not trusted"),
        ("+callbacks.x={a: _target_, _target_: vae_lightning.models.VAE}", "names a class that is not trusted"),
        ("+callbacks.x={_target_: [vae_lightning.models.VAE]}", "names a class that is not trusted"),
        ("+callbacks.x._target_.y=vae_lightning.models.VAE", "names a class that is not trusted"),
        (
            "model={a: {_target_: vae_lightning.models.VAE, b: {_target_: os.system}}}",
            "names a class that is not trusted",
        ),
    ],
)
def test_overrides_that_could_run_code_are_not_replayed(override, problem, tmp_path, monkeypatch):
    run = tmp_path / "run"
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "overrides.yaml").write_text(f"- '{override}'\n")
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "last.ckpt").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=problem):
        expand_resume(["resume=run"])
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_resume_command_finds_choices_where_this_one_did(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    own = ["--config-dir", "my conf", "hydra.searchpath=[pkg://mine]"]
    monkeypatch.setattr(sys, "argv", ["train.py", own[0], own[1], "model=mine", own[2], "seed=1"])
    expected = "python train.py --config-dir 'my conf' 'hydra.searchpath=[pkg://mine]' resume=runs/a"
    assert resume_command(tmp_path / "runs" / "a") == expected
    monkeypatch.setattr(sys, "argv", ["/bin/vae-lightning", "model=mine"])
    assert resume_command(tmp_path / "b") == "vae-lightning train resume=b"


@pytest.mark.parametrize(
    ("arguments", "trust"),
    [
        (["trust=mine"], "'trust=[mine]'"),
        (["trust=[mine, other.part]", "+callbacks.a._target_=mine.A"], "'trust=[mine,other.part]'"),
        (["+callbacks.a={_target_: mine.A}", "model._target_=yours.B"], "'trust=[mine,yours]'"),
        (["+callbacks.a._target_=lightning.pytorch.callbacks.Timer", "model._target_=vae_lightning.models.AE"], ""),
    ],
)
def test_resume_command_trusts_own_classes(arguments, trust, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    assert resume_command(tmp_path / "a") == " ".join(["python train.py", trust, "resume=a"]).replace("  ", " ")


OWN = """
import subprocess
from subprocess import Popen


class Mine: pass
"""


@pytest.mark.parametrize(
    "override",
    [
        "+callbacks.mine={_target_: own_callbacks.Mine}",
        "model={_target_: torch.optim.Adam, x: {_target_: own_callbacks.Mine}}",
    ],
)
def test_own_classes_are_replayed_if_trusted(override, tmp_path, monkeypatch):
    (tmp_path / "own_callbacks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    check_replayable([override], RUN, ["own_callbacks"])
    with pytest.raises(UserError, match=r"names a class that is not trusted.* on the command line"):
        check_replayable([override], RUN, ["another"])


@pytest.mark.parametrize("target", ["own_callbacks.Popen", "own_callbacks.subprocess.Popen", "own_callbacks.nothing"])
def test_a_trusted_module_must_define_the_class_itself(target, tmp_path, monkeypatch):
    (tmp_path / "own_callbacks.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="names a class that is not trusted"):
        check_replayable([f"+callbacks.mine={{_target_: {target}, args: [ls]}}"], RUN, ["own_callbacks"])


def test_message_names_the_option_that_trusts_an_own_class():
    with pytest.raises(UserError, match=r"If you trust it, pass trust=\[mine\] on the command line\.$"):
        check_replayable(["+callbacks.a={_target_: mine.A}"], RUN)
    with pytest.raises(UserError, match=r"If you trust it, pass it again on the command line\.$"):
        check_replayable(["seed=${oc.env:SEED}"], RUN)


def test_the_standard_library_cannot_be_trusted(tmp_path):
    """A log file of it would be emptied before the object turns out not to be a callback."""
    override = "+callbacks.x={_target_:logging.FileHandler,filename:victim,mode:w}"
    for trust in ((), ("logging",)):
        with pytest.raises(
            UserError, match=r"names a class that is not trusted.* If you trust it, pass it again on the"
        ):
            check_replayable([override], tmp_path, trust)
