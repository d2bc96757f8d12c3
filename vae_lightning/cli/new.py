"""Create a small project of your own: a model, a dataset, their configuration and a test."""

import argparse
import shutil
from pathlib import Path

from vae_lightning.errors import UserError

TEMPLATE = Path(__file__).with_name("template")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("path", metavar="project", type=Path, help="the directory to create")


def run(args: argparse.Namespace) -> None:
    """Create the project and print the next commands."""
    create_project(args.path)
    print(f"created {args.path}. Next:\n  cd {args.path}\n  vae-lightning train experiment=first")


def create_project(path: Path) -> None:
    """Copy the template to a new directory.

    Raises:
        UserError: if the directory exists and is not empty.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path}: already exists. Choose the name of a new directory.")
    shutil.copytree(TEMPLATE, path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
