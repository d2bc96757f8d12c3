"""Arguments that several commands share."""

import argparse
from collections.abc import Iterable

from vae_lightning.runs.pretrained import find_model


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of commands that load a run."""
    parser.add_argument(
        "path", metavar="run", help="a run directory, a checkpoint in one, or latest: the run started last"
    )
    add_trust_option(parser)


def check_runs(paths: Iterable[str]) -> None:
    """Check that runs exist, before seconds are spent on importing torch.

    Raises:
        UserError: if one does not.
    """
    for path in paths:
        find_model(path)


def add_data_root_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for data that is not where it was when the run was trained."""
    parser.add_argument("--data-root", metavar="PATH", help="where the data of the run is now, instead of data.root")


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names packages of the user's own."""
    parser.add_argument(
        "--trust",
        action="extend",
        type=lambda names: names.split(","),
        default=[],
        metavar="PACKAGE",
        help="packages of your own whose classes the run may name, separated by commas; they are imported, which runs"
        " their code",
    )
