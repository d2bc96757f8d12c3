"""Tests of the command line: selection of the command, and one-line errors."""

import subprocess
import sys

import pytest

import vae_lightning
from vae_lightning.cli import train as train_command
from vae_lightning.cli.main import COMMANDS, build_parser, main


def exit_status(*arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return str(stopped.value.code)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "model=cvae"], ["model=cvae"]),
        (["train", "--help"], ["--help"]),
        (["train"], []),
        (["model=cvae", "-m"], ["model=cvae", "-m"]),  # as DDP starts its other processes
        (["-m", "model.beta=1,4"], ["-m", "model.beta=1,4"]),
        (["--config-dir", "conf", "model=cvae"], ["--config-dir", "conf", "model=cvae"]),
    ],
)
def test_train_is_the_default_command_and_passes_its_arguments_to_hydra(arguments, expected, monkeypatch):
    seen = []
    monkeypatch.setattr(train_command, "main", seen.append)
    main(arguments)
    assert seen == [expected]


def test_unknown_command_suggests_the_closest_one():
    assert exit_status("trian") == (
        "error: trian: no such command. Did you mean train?"
        " The commands are train, evaluate, figures, report, explore, sample, encode, export, push, pull, new."
    )
    assert "Did you mean" not in exit_status("xyz")


def test_error_of_an_unknown_option_is_one_line(capsys):
    assert exit_status("evaluate", "run", "--quik") == "2"
    assert capsys.readouterr().err == (
        "error: unrecognized arguments: --quik. Run vae-lightning --help to see the options.\n"
    )


@pytest.mark.parametrize("name", ["evaluate", "figures", "report", "explore", "export", "sample", "encode"])
@pytest.mark.parametrize(
    ("arguments", "packages"),
    [
        (["latest"], []),
        (["--trust", "a", "latest"], ["a"]),
        (["latest", "--trust", "a"], ["a"]),
        (["latest", "--trust", "a", "--trust", "b"], ["a", "b"]),
        (["latest", "--trust", "a", "b"], ["a", "b"]),
        (["latest", "--trust", "a,b"], ["a", "b"]),
    ],
)
def test_trust_leaves_the_run_to_the_command(name, arguments, packages, monkeypatch):
    seen = []
    monkeypatch.setattr(COMMANDS[name], "run", seen.append)
    main([name, *arguments])
    assert seen[0].path in ("latest", ["latest"])
    assert seen[0].trust == packages


def test_words_that_belong_to_no_option_are_an_error(capsys):
    assert exit_status("figures", "latest", "more") == "2"
    assert capsys.readouterr().err.startswith("error: unrecognized arguments: more. ")
    assert exit_status("figures", "latest", "--trust", "a", "b", "--quik") == "2"
    assert capsys.readouterr().err.startswith("error: unrecognized arguments: b --quik. ")


def test_interruption_is_one_line(monkeypatch, capsys):
    def interrupt(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["report"], "run", interrupt)
    assert exit_status("report", "runs") == "130"
    assert capsys.readouterr().err == "interrupted. Rerun the command to continue.\n"


def test_help_lists_every_command(capsys):
    assert exit_status("--help") == exit_status() == "0"
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in ("train", *COMMANDS))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name, capsys):
    assert exit_status(name, "--help") == "0"
    assert capsys.readouterr().out.startswith(f"usage: vae-lightning {name} ")


def test_version_is_that_of_the_package(capsys):
    assert exit_status("--version") == "0"
    assert capsys.readouterr().out == f"vae-lightning {vae_lightning.__version__}\n"


def test_defaults_in_the_help_of_evaluate_are_those_of_the_settings(capsys):
    assert exit_status("evaluate", "--help") == "0"
    text = " ".join(capsys.readouterr().out.split())
    assert "samples per image for log p(x) (default: 5,000)" in text
    assert "likelihood,information,disentanglement,samples,downstream,anomaly" in text.replace(" ", "")


def test_current_directory_is_on_the_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["elsewhere"])
    exit_status("nothing")
    assert str(tmp_path) in sys.path


@pytest.mark.parametrize("command", ["evaluate", "figures", "explore", "encode", "export"])
def test_missing_run_is_reported_without_importing_torch(command):
    code = f"""
import sys
from vae_lightning.cli.main import main
try:
    main(["{command}", "nowhere"])
except SystemExit as stopped:
    assert "nowhere: no such run or checkpoint" in stopped.code
    assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_build_parser_does_not_import_torch():
    code = (
        "import sys; from vae_lightning.cli.main import build_parser; build_parser();"
        "sys.exit('torch' in sys.modules or 'lightning' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert build_parser().prog == "vae-lightning"


def test_package_can_be_run():
    command = [sys.executable, "-m", "vae_lightning", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("vae-lightning ")
