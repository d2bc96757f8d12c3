"""Download a model with its model card from the Hugging Face hub."""

import argparse
from pathlib import Path

from vae_lightning.checkpointing.hub import download_folder, split_url


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("path", metavar="owner/name", help="the repository, or owner/name@revision")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="the folder to write (default: name)")


def run(args: argparse.Namespace) -> None:
    """Download the files and print the folder."""
    repository, _ = split_url(args.path)
    print(download_folder(args.path, args.out or Path(repository.partition("/")[2])))
