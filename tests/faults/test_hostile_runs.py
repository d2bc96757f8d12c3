"""Tests of runs that somebody else has made: no command runs code from them, or shows what they do not contain.

Each attack has two witnesses: a directory that must not appear, and a variable that must not be shown. `make fuzz` puts
more values in more places.
"""

import json
import os
import pickle
import random
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, SMALL
from hydra import compose, initialize_config_dir

import vae_lightning
from vae_lightning.cli.main import main
from vae_lightning.config.traversal import iter_leaves
from vae_lightning.explorer.explore import load_runs
from vae_lightning.training.train import train

ROUNDS = int(os.environ.get("FUZZ", "1"))
SECRET = "the-value-of-a-secret"
QUICK = [*SMALL, "callbacks=minimal", "logger=none", "trainer.max_epochs=1"]
COMMANDS: dict[str, Callable[[Path], Any]] = {
    "load": lambda run: vae_lightning.load(run),
    "export": lambda run: main(["export", str(run)]),
    "hub": lambda run: main(["export", str(run), "--format", "hub"]),
    "explore": lambda run: load_runs([run]),
    "evaluate": lambda run: main(["evaluate", str(run), "--quick", "--only", "likelihood", "--samples", "2"]),
    "figures": lambda run: main(["figures", str(run)]),
    "report": lambda run: main(["report", str(run.parent)]),
    "resume": lambda run: main(["train", f"resume={run}", "trainer.max_epochs=2"]),
}


class MakeDirectory:
    """An object whose pickle makes a directory when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return the directory of a small finished run."""
    run_dir = tmp_path_factory.mktemp("original") / "run"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        train(compose("train", [f"run_dir={run_dir}", *QUICK]))
    (run_dir / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([o for o in QUICK if "progress_bar" not in o]))
    main(["export", str(run_dir)])
    return run_dir


@pytest.fixture
def run(original, tmp_path, monkeypatch):
    """Return a copy of the run, in a sweep with an ordinary run."""
    monkeypatch.setenv("SOME_SECRET", SECRET)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(original, tmp_path / "sweep" / "ordinary")
    return shutil.copytree(original, tmp_path / "sweep" / "run")


def check_commands(run: Path, capsys, commands=tuple(COMMANDS)) -> dict[str, str]:
    """Run commands on a run, and check both witnesses; return their errors."""
    errors = {}
    for name in commands:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                COMMANDS[name](run)
            except (SystemExit, vae_lightning.errors.UserError) as error:
                errors[name] = str(error)
                assert "\n" not in errors[name]
        output = "".join(capsys.readouterr()) + errors.get(name, "")
        written = "".join(
            file.read_bytes().decode(errors="replace")
            for file in run.parent.glob("report/*.*")
            if file.suffix != ".png"
        )
        assert SECRET not in output + written, name
        assert "\x1b[31m" not in written, name
        assert not (run.parents[1] / "witness").exists(), name
    return errors


def interpolations(run: Path) -> list[str]:
    """Return texts that OmegaConf, Hydra, PyYAML or Python could be made to evaluate."""
    witness = run.parents[1] / "witness"
    return [
        f"${{new_folder:{witness}}}",
        "${oc.env:SOME_SECRET}",
        f"${{oc.decode:'{{_target_: os.mkdir, path: {witness}}}'}}",
        "${run_dir}",
    ]


YAML_ATTACKS = {
    "tag": "!!python/object/apply:os.mkdir ['{witness}']",
    "alias bomb": "[&a [x, x], &b [*a, *a], &c [*b, *b], *c]",
    "cycle": "&a [*a]",
    "deep": "[" * 200 + "]" * 200,
    "huge number": "[" + "9" * 5000 + "]",
    "not text": "\x00\x01",
    "a mapping": "a: {{}}",
}


@pytest.mark.parametrize("attack", YAML_ATTACKS)
@pytest.mark.parametrize("name", ["config.yaml", "overrides.yaml", "multirun.yaml"])
def test_yaml_runs_nothing(name, attack, run, capsys):
    text = YAML_ATTACKS[attack].replace("{witness}", str(run.parents[1] / "witness")).replace("{{}}", "{}")
    file = run.parent / name if name == "multirun.yaml" else run / ".hydra" / name
    file.write_text(text)
    commands = {
        "config.yaml": ("evaluate", "report", "resume"),
        "overrides.yaml": ("report", "resume"),
        "multirun.yaml": ("report",),
    }
    errors = check_commands(run, capsys, commands[name])
    if name != "multirun.yaml":
        assert errors.get("resume")


def test_interpolations_in_overrides_are_not_resolved(run, capsys):
    for text in interpolations(run):
        for override in (f"+x={text}", f"seed={text}", f"hydra.run.dir={text}", f"data.root={text}"):
            (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([override]))
            errors = check_commands(run, capsys, ("report", "resume"))
            assert "is not replayed" in errors["resume"]


@pytest.mark.parametrize(
    "override",
    [
        "model.optimizer._target_=os.mkdir",
        "+callbacks.x={_target_: os.mkdir, path: witness}",
        "+callbacks.x._target_=os.mkdir",
        "+callbacks.x._target_=torch.hub.load",
        "+callbacks.x._target_=torch.utils.cpp_extension.load_inline",
        "+callbacks.x._target_=lightning.pytorch.core.saving._load_state",
        "+callbacks.x._target_=vae_lightning.checkpointing.loading.Path",
        "hydra.callbacks.sweep._target_=os.mkdir",
        "--config-dir=/tmp",
        "hydra/launcher=submitit_local",
        "experiment=../../elsewhere",
    ],
)
def test_overrides_that_could_run_code_are_not_replayed(override, run, capsys):
    (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([override]))
    assert "is not replayed" in check_commands(run, capsys, ("report", "resume"))["resume"]


@pytest.mark.parametrize("seed", range(3 * ROUNDS))
def test_config_runs_nothing(seed, run, capsys):
    """Interpolations, targets and control characters at random leaves of the configuration."""
    rng = random.Random(seed)
    config = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
    targets = ["os.mkdir", "torch.load", "torch.hub.load", "subprocess.run", "vae_lightning.load", "builtins.eval"]
    values = [*interpolations(run), {"_target_": rng.choice(targets), "path": "witness"}, "\x1b[31m<b>|=1+1", 10**400]
    key, _ = rng.choice(list(iter_leaves(config)))
    *groups, name = key.split(".")
    node = config
    for group in groups:
        node = node[group]
    node[name] = rng.choice(values)
    (run / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    check_commands(run, capsys, ("evaluate", "report", "resume"))


@pytest.mark.parametrize("target", ["os.mkdir", "torch.load", "torch.hub.load", "vae_lightning.cli.main.main"])
def test_model_and_data_are_built_of_trusted_classes_only(target, run, capsys):
    config = yaml.safe_load((run / ".hydra" / "config.yaml").read_text())
    config["data"] = {"_target_": target, "path": str(run.parents[1] / "witness")}
    (run / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    errors = check_commands(run, capsys, ("evaluate", "figures", "report"))
    assert f"names {target}, which is not trusted" in errors["evaluate"]
    assert f"names {target}, which is not trusted" in errors["figures"]


@pytest.mark.parametrize("name", ["best.ckpt", "last.ckpt"])
def test_pickle_in_a_checkpoint_is_not_run(name, run, capsys):
    for other in ("previous.ckpt", "last.ckpt", "best.ckpt"):
        (run / "checkpoints" / other).unlink(missing_ok=True)
    with zipfile.ZipFile(run / "checkpoints" / name, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"state_dict": MakeDirectory(run.parents[1] / "witness")}))
        archive.writestr("archive/version", "3")
    errors = check_commands(run, capsys)
    assert errors.keys() >= {"load", "export", "evaluate", "figures", "resume"}


def test_header_of_an_export_builds_trusted_classes_only(run, capsys):
    file = run / "model.safetensors"
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    config = json.loads(header["__metadata__"]["config"])
    config["model"]["network"] = {"_target_": "os.mkdir", "path": str(run.parents[1] / "witness")}
    header["__metadata__"]["config"] = json.dumps(config)
    new = json.dumps(header).encode()
    file.write_bytes(len(new).to_bytes(8, "little") + new + data[8 + size :])
    with pytest.raises(vae_lightning.errors.UserError):
        vae_lightning.load(file)
    assert not (run.parents[1] / "witness").exists()


@pytest.mark.parametrize("name", [".hydra/config.yaml", ".hydra/overrides.yaml", "metrics.json", "failure.txt"])
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_pipes_and_links_are_not_read(name, kind, run, capsys):
    (run / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(run / name)
    else:
        secret = run.parents[1] / "secret.txt"
        secret.write_text(f"seed: {SECRET}\n")
        (run / name).symlink_to(secret)
    check_commands(run, capsys, ("evaluate", "report", "resume"))


@pytest.mark.parametrize("name", ["best.ckpt", "last.ckpt"])
def test_pipe_instead_of_a_checkpoint_is_not_read(name, run, capsys):
    for other in ("previous.ckpt", "last.ckpt", "best.ckpt"):
        (run / "checkpoints" / other).unlink(missing_ok=True)
    os.mkfifo(run / "checkpoints" / name)
    assert check_commands(run, capsys).keys() >= {"load", "export", "evaluate", "figures", "resume"}


def test_names_with_markup_are_shown_as_text(run, capsys):
    hostile = run.rename(run.with_name("<img src=x onerror=alert(1)>|`_*=1+1"))
    (hostile / "failure.txt").write_text("<script>alert(1)</script>\x1b[31m\n")
    metrics = {"test/nelbo": 1.0, "<script>": 2.0, "=cmd": 3.0, "huge": 10**400}
    (hostile / "metrics.json").write_text(json.dumps(metrics))
    check_commands(hostile, capsys, ("report",))
    page = (run.parent / "report" / "report.html").read_text()
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert "<script>" not in page.replace("<script>\n", "")  # our own
