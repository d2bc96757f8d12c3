"""Tests that all commands of an installed wheel work in an empty directory."""

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, SMALL

pytestmark = pytest.mark.slow
QUICK = [*(o for o in SMALL if not o.startswith("~")), "callbacks=minimal", "trainer.max_epochs=1"]

QUICK_EVALUATION = ["--quick", "--only", "likelihood", "--samples", "5"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """Return the bin directory of a new environment with the wheel and the dependencies of the current environment."""
    directory = tmp_path_factory.mktemp("environment")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", directory, ROOT], check=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory / "venv"], check=True)
    python = directory / "venv" / "bin" / "python"
    site = Path(
        subprocess.check_output([python, "-c", "import site; print(site.getsitepackages()[0])"], text=True).strip()
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))  # .pth files in purelib are ignored
    (wheel,) = directory.glob("*.whl")
    subprocess.run([*pip, "--python", python, "install", "--no-deps", wheel], check=True)
    return python.parent


@pytest.fixture
def run(environment, tmp_path) -> Callable[..., str]:
    """Return a function that runs a command in an empty directory and returns its output."""

    def run(*command: str, code: int = 0) -> str:
        variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COLUMNS")}
        result = subprocess.run(
            [environment / command[0], *command[1:]],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    return run


def test_train_evaluate_figures_export_and_resume(run, tmp_path):
    assert "vae-lightning train resume=runs/small/" in run("vae-lightning", "train", *QUICK)
    assert "site-packages" in run("python", "-c", "import vae_lightning; print(vae_lightning.__file__)")
    assert "distortion" in run(
        "vae-lightning", "evaluate", "latest", "--quick", "--only", "likelihood", "--samples", "5"
    )
    assert "reconstructions.png" in run("vae-lightning", "figures", "latest")
    assert "model.safetensors" in run("vae-lightning", "export", "latest")
    pages = "from vae_lightning.explorer.contents import page_files; print(*page_files())"
    assert "main.js" in run("python", "-c", pages)
    run("python", "-m", "vae_lightning", "train", "resume=latest", "trainer.max_epochs=2")
    (run_dir,) = tmp_path.glob("runs/small/*")
    assert (run_dir / "checkpoints" / "previous.ckpt").is_file()


def test_sweep_and_report(run, tmp_path):
    overrides = [o for o in QUICK if "latent_dim" not in o]
    run("vae-lightning", "train", "model=cvae", "sweep=first", "-m", "model.latent_dim=2,10", *overrides)
    assert len(list(tmp_path.glob("runs/sweeps/first/*/metrics.json"))) == 2
    assert run("vae-lightning", "report", "latest").splitlines()[-1] == "runs/sweeps/first/report/report.html"


def test_conf_and_modules_in_the_current_directory_are_found(run, tmp_path):
    (tmp_path / "my_networks.py").write_text("from vae_lightning.networks import MLP\nclass Mine(MLP): ...\n")
    for directory in ("conf", "other"):
        (tmp_path / directory / "model" / "network").mkdir(parents=True)
        text = "_target_: my_networks.Mine\nhidden_dims: [8]\nactivation: Tanh\n"
        (tmp_path / directory / "model" / "network" / f"in_{directory}.yaml").write_text(text)
    small = [o for o in QUICK if "network" not in o]
    run("vae-lightning", "train", "model/network=in_conf", *small)
    assert "my_networks.Mine" in run(
        "vae-lightning", "train", "--config-dir", "other", "model/network=in_other", "--cfg", "job"
    )
    assert "my_networks.Mine, which is not trusted" in run(
        "vae-lightning", "evaluate", "latest", *QUICK_EVALUATION, code=1
    )
    assert "log_px" in run("vae-lightning", "evaluate", "latest", *QUICK_EVALUATION, "--trust", "my_networks")
    (tmp_path / "my_networks.py").unlink()
    assert "which cannot be imported" in run("vae-lightning", "evaluate", "latest", "--trust", "my_networks", code=1)


def test_installed_command_starts_several_processes(run):
    assert "nelbo" in run(
        "vae-lightning", "train", *QUICK, "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"
    )


def test_errors_are_one_line(run):
    for arguments in (["trian"], ["train", "model=none"], ["evaluate", "nowhere"]):
        assert re.fullmatch(r"error: .*\n", run("vae-lightning", *arguments, code=1))
