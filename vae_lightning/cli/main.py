"""`vae-lightning COMMAND ...`: one table maps each command to its module."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from importlib.metadata import version
from types import ModuleType

from vae_lightning.cli import encode, evaluate, explore, export, figures, new, pull, push, report, sample
from vae_lightning.config.error_reporting import USER_FACING_ERRORS, report_errors
from vae_lightning.config.packages import find_own_modules
from vae_lightning.errors import UserError, one_line

# Each module has a docstring whose first line is the help, `add_arguments(parser)` and `run(args)`.
COMMANDS: dict[str, ModuleType] = {
    "evaluate": evaluate,
    "figures": figures,
    "report": report,
    "explore": explore,
    "sample": sample,
    "encode": encode,
    "export": export,
    "push": push,
    "pull": pull,
    "new": new,
}
TRAIN = "train"  # handled by Hydra; the default, so that `vae-lightning model=cvae` trains as well
TOP_LEVEL_OPTIONS = ("-h", "--help", "--version", "--debug")


class Parser(argparse.ArgumentParser):
    """An argument parser that prints errors on one line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Print the error and exit with code 2."""
        self.exit(2, f"error: {message}. Run {self.prog} --help to see the options.\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command. Errors are printed on one line, with a non-zero exit code.

    Args:
        arguments: by default those of the command line.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    find_own_modules()
    first = arguments[0] if arguments else "--help"
    if first == TRAIN or "=" in first or (first.startswith("-") and first not in TOP_LEVEL_OPTIONS):
        from vae_lightning.cli import train

        train.main(arguments[1:] if first == TRAIN else arguments)
        return
    check_command(first)
    args = parse(arguments or ["--help"])
    with report_errors(args.debug):
        try:
            args.run(args)
        except USER_FACING_ERRORS:
            raise
        except KeyboardInterrupt:
            print("interrupted. Rerun the command to continue.", file=sys.stderr)
            sys.exit(130)
        except Exception as error:  # caused by a file that is not what its name says
            reason = f"{type(error).__name__}: {one_line(error)}"
            paths = " ".join(map(str, args.path)) if isinstance(args.path, list) else args.path
            raise UserError(f"{paths}: {reason}. Add --debug to see where it comes from.") from error


def check_command(name: str) -> None:
    """Exit with a suggestion if there is no such command."""
    commands = [TRAIN, *COMMANDS]
    if name.startswith("-") or name in commands:
        return
    close = difflib.get_close_matches(name, commands, n=1)
    suggestion = f"Did you mean {close[0]}? " if close else ""
    sys.exit(f"error: {name}: no such command. {suggestion}The commands are {', '.join(commands)}.")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments. Words that are left over belong to `--trust`, as in `evaluate latest --trust a b`."""
    parser = build_parser()
    args, rest = parser.parse_known_args(arguments)
    if getattr(args, "trust", []) and not any(word.startswith("-") for word in rest):
        args.trust += rest
    elif rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return args


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = Parser(prog="vae-lightning", description="Train, evaluate and compare variational autoencoders.")
    parser.add_argument("--version", action="version", version=f"vae-lightning {version('vae-lightning')}")
    parser.add_argument("--debug", action="store_true", help="show the stack trace of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    commands.add_parser(TRAIN, help="train a model or a sweep; vae-lightning train --help lists all options")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").splitlines()[0].rstrip(".")
        command = commands.add_parser(name, help=summary[0].lower() + summary[1:], description=module.__doc__)
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
