"""Write the latents of the images of a run to a NumPy file."""

import argparse

from vae_lightning.cli.arguments import add_data_root_option, add_run_argument, check_runs
from vae_lightning.io.shell import display_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run_argument(parser)
    add_data_root_option(parser)
    parser.add_argument("--split", default="test", help="the images: train, val, test or all (default: test)")
    parser.add_argument("--out", metavar="FILE", help="the file (default: latents-SPLIT.npz in the run)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the GPU if there is one)")


def run(args: argparse.Namespace) -> None:
    """Write the file and print its path."""
    check_runs([args.path])
    from vae_lightning.exporting.latents import write_latents  # imports torch, which --help does not need

    options = {"split": args.split, "device": args.device, "data_root": args.data_root}
    print(display_path(write_latents(args.path, args.out, **options, trust=args.trust)))
