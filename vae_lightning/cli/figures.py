"""Draw all figures of a run again."""

import argparse

from vae_lightning.cli.arguments import add_data_root_option, add_run_argument, check_runs
from vae_lightning.config.schema import FIGURE_FORMATS, FIGURE_STYLES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run_argument(parser)
    add_data_root_option(parser)
    parser.add_argument(
        "--format", choices=FIGURE_FORMATS, help="pdf or svg beside each PNG; by default as in training"
    )
    parser.add_argument("--style", choices=FIGURE_STYLES, help="by default as in training")


def run(args: argparse.Namespace) -> None:
    """Draw the figures and print their files."""
    check_runs([args.path])
    from vae_lightning.figures.redraw import redraw  # imports torch, which --help does not need

    for file in redraw(args.path, trust=args.trust, data_root=args.data_root, format=args.format, style=args.style):
        print(file)
