"""Redraw the figures of a run."""

import argparse

from vae_lightning.cli.arguments import add_data_root_option, add_run_argument, check_runs
from vae_lightning.config.schema import FIGURE_FORMATS, FIGURE_STYLES
from vae_lightning.io.shell import display_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run_argument(parser)
    add_data_root_option(parser)
    parser.add_argument(
        "--only",
        type=lambda names: names.split(","),
        default=[],
        metavar="FIGURES",
        help="some figures, such as samples,traversals, or functions of your own, MODULE.FUNCTION (default: all)",
    )
    parser.add_argument("--format", choices=FIGURE_FORMATS, help="also write pdf or svg (default: as in training)")
    parser.add_argument("--style", choices=FIGURE_STYLES, help="(default: as in training)")


def run(args: argparse.Namespace) -> None:
    """Draw the figures and print their files."""
    check_runs([args.path])
    from vae_lightning.figures.redraw import redraw  # imports torch, which --help does not need

    options = {name: getattr(args, name) for name in ("only", "trust", "data_root", "format", "style")}
    for file in redraw(args.path, **options):
        print(display_path(file))
