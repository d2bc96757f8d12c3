"""Tests that resuming an untrusted run does not replay overrides that could run code."""

from pathlib import Path

import pytest

from vae_lightning.config.overrides import expand_resume
from vae_lightning.config.replay import check_replayable
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
