"""Draw all figures of a run again."""

import argparse

from vae_lightning.cli.arguments import add_run_argument

add_arguments = add_run_argument


def run(args: argparse.Namespace) -> None:
    """Draw the figures and print their files."""
    from vae_lightning.figures.redraw import redraw  # imports torch, which --help does not need

    for file in redraw(args.path, trust=tuple(args.trust)):
        print(file)
