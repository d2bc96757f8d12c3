"""Upload the model of a run with a model card to the Hugging Face hub."""

import argparse

from vae_lightning.cli.arguments import add_run_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_run_argument(parser)
    parser.add_argument("repository", metavar="owner/name", help="the repository; it is created if it does not exist")
    parser.add_argument("--checkpoint", default="best", help="which checkpoint of the run: best (default) or last")
    parser.add_argument("--private", action="store_true", help="create a private repository")


def run(args: argparse.Namespace) -> None:
    """Upload the model and print its URL."""
    from vae_lightning.exporting.push import push  # imports torch, which --help does not need

    options = {"checkpoint": args.checkpoint, "private": args.private, "trust": args.trust}
    print(push(args.path, args.repository, **options))
