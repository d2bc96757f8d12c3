"""Tests of the table of an evaluation."""

from rich.console import Console

from vae_lightning.evaluation.results import Result
from vae_lightning.evaluation.table import build_table


def test_repeated_notes_are_shown_once_per_group_and_names_are_whole():
    group = {
        "fid": Result(1.0, error=0.5, note="of a classifier"),
        "kid": Result(2.0, note="of a classifier"),
        "linear_probe_efficiency": Result(3.0, note=""),
        "mse": Result(4.0, note=""),
        "udr": Result(None, note="of a classifier"),
    }
    console = Console(width=80)
    with console.capture() as capture:
        console.print(build_table({"a": group, "b": {"fid": group["fid"]}}, "title"))
    rows = [[cell.strip() for cell in line.split("│")[1:5]] for line in capture.get().splitlines() if "│" in line]
    assert rows == [
        ["fid", "1", "0.5", "of a classifier"],
        ["kid", "2", "", '"'],
        ["linear_probe_efficiency", "3", "", ""],
        ["mse", "4", "", ""],
        ["udr", "-", "", "of a classifier"],
        ["fid", "1", "0.5", "of a classifier"],
    ]
