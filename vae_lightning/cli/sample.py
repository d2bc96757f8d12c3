"""Write samples of a model as PNG files."""

import argparse

from vae_lightning.cli.arguments import add_trust_option
from vae_lightning.io.shell import display_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "path", metavar="run", help="a run directory, a checkpoint or exported model, latest, or a model on the hub"
    )
    add_trust_option(parser)
    parser.add_argument("--out", default="samples", metavar="FOLDER", help="a new directory (default: samples)")
    parser.add_argument("-n", "--n", type=int, default=100, metavar="N", help="number of images (default: 100)")
    parser.add_argument(
        "--classes",
        type=integers,
        default=[],
        metavar="K,K",
        help="the classes of a conditional model, such as 3,5 (default: all)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the samples (default: 0)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the GPU if there is one)")


def integers(text: str) -> list[int]:
    """Parse integers that are separated by commas."""
    return [int(number) for number in text.split(",")]


def run(args: argparse.Namespace) -> None:
    """Write the files and print their directory."""
    from vae_lightning.exporting.samples import write_samples  # imports torch, which --help does not need

    options = {"n": args.n, "classes": args.classes, "seed": args.seed, "device": args.device}
    print(display_path(write_samples(args.path, args.out, **options, trust=args.trust)))
