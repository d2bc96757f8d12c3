"""Write the model of a run as safetensors, with its configuration in the file."""

import argparse

from vae_lightning.cli.arguments import add_run_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run_argument(parser)
    parser.add_argument("--checkpoint", default="best", help="which checkpoint of the run: best (default) or last")
    parser.add_argument("--out", metavar="FILE", help="the file to write (default: model.safetensors in the run)")


def run(args: argparse.Namespace) -> None:
    """Write the file and print its path."""
    from vae_lightning.checkpointing.export import export  # imports torch, which --help does not need

    print(export(args.path, args.out, checkpoint=args.checkpoint, trust=tuple(args.trust)))
