"""Hydra's flags on the command line, such as `-m`."""

from hydra._internal.utils import get_args_parser

from vae_lightning.errors import UserError

VALUE_FLAGS = ("--cfg", "-c", "--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--package", "-p")


def split_flags(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Split arguments into Hydra's flags, such as `-m` or `--config-dir conf`, and overrides.

    Hydra's parser wants all overrides in one place.
    """
    flags: list[str] = []
    overrides: list[str] = []
    for previous, argument in zip(["", *arguments], arguments, strict=False):
        (flags if argument.startswith("-") or previous in VALUE_FLAGS else overrides).append(argument)
    return flags, overrides


def check_flags(flags: list[str]) -> None:
    """Check that Hydra has all flags.

    Raises:
        UserError: for an unknown one, which is probably meant to be an option.
    """
    known = get_args_parser()._option_string_actions
    for flag in flags:
        name = flag.partition("=")[0]
        if name.startswith("--") and name not in known:
            raise UserError(
                f"{name}: no such flag. Options have no dashes, such as trainer.max_epochs=5 or model.beta=4."
            )
