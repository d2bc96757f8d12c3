"""`vae-lightning COMMAND ...`: what is done with finished runs. Each command calls one function below."""

import argparse
from collections.abc import Sequence

from vae_lightning.mistakes import one_line_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a mistake is told in one line, with exit code 1.

    Args:
        arguments: those of the command line; by default what was typed.
    """
    parser = argparse.ArgumentParser(prog="vae-lightning", description="What is done with finished runs.")
    parser.add_argument("--debug", action="store_true", help="show the stack trace of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    figures = commands.add_parser("figures", help="draw all figures of a run again")
    figures.add_argument("run", help="a run's folder, or a checkpoint in it")
    figures.set_defaults(command=draw_figures)

    evaluate = commands.add_parser("evaluate", help="likelihood, information, disentanglement -> metrics.json")
    evaluate.add_argument("run", help="a run's folder, or a checkpoint in it")
    evaluate.add_argument("--quick", action="store_true", help="fewer samples: a minute on a laptop")
    evaluate.set_defaults(command=evaluate_run)

    args = parser.parse_args(arguments)
    with one_line_errors(args.debug):
        args.command(args)


# Each imports what it needs when it is called: torch takes seconds, and --help none.


def draw_figures(args: argparse.Namespace) -> None:
    """`vae-lightning figures RUN`."""


def evaluate_run(args: argparse.Namespace) -> None:
    """`vae-lightning evaluate RUN`."""
