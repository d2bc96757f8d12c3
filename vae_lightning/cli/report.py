"""Compare many runs in one page of tables, curves and figures."""

import argparse

from vae_lightning.cli.arguments import add_trust_option


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "path", metavar="folder", help="a directory of runs, such as runs/sweeps/NAME, or latest: the newest sweep"
    )
    parser.add_argument("--out", metavar="FOLDER", help="where to write it (default: report/ in that directory)")
    add_trust_option(parser)


def run(args: argparse.Namespace) -> None:
    """Write the report and print its page."""
    from vae_lightning.report import report  # imports torch, which --help does not need

    print(report(args.path, args.out, trust=args.trust))
