"""Which classes a file may name, so that loading a checkpoint never runs code from it."""

from pathlib import Path
from typing import Any

from hydra.utils import get_class

from vae_lightning.errors import UserError, one_line

# Packages whose classes only compute: constructing one opens no file and no connection.
TRUSTED_PACKAGES = (
    "vae_lightning.models",
    "vae_lightning.networks",
    "vae_lightning.distributions",
    "vae_lightning.posteriors",
    "vae_lightning.priors",
    "vae_lightning.regularizers",
    "torch.optim",
)


def check_trusted(config: Any, packages: tuple[str, ...], path: Path) -> None:
    """Check that every `_target_` of a configuration, at any depth, is a class of one of the packages.

    Args:
        config: plain containers.
        packages: those whose classes are trusted.
        path: the file of the configuration, for messages.

    Raises:
        UserError: if a target is not trusted or cannot be imported, or if the configuration contains an interpolation
            or anything but plain containers.
    """
    if type(config) is dict:
        if "_target_" in config:
            check_target(config["_target_"], packages, path)
        config = [*config, *config.values()]
    if type(config) is list:
        for value in config:
            check_trusted(value, packages, path)
    # A resolved configuration has no interpolations, and one could assemble a target.
    elif "${" in str(config) or not isinstance(config, str | int | float | None):
        raise UserError(f"{path}: contains {config!r}, which is not trusted in a configuration. Restore the file.")


def check_target(target: Any, packages: tuple[str, ...], path: Path) -> None:
    """Check that a target is a class that one of the packages itself defines.

    An alias, such as `vae_lightning.checkpointing.loading.Path`, could reach classes that other packages define.

    Raises:
        UserError: if it is not, or cannot be imported.
    """
    inside = tuple(f"{package}." for package in packages)
    if isinstance(target, str) and target.startswith(inside):
        try:
            if f"{get_class(target).__module__}.".startswith(inside):
                return
        except ImportError as error:
            raise UserError(
                f"{path}: names {target}, which cannot be imported ({one_line(error)}). Run the command from the"
                " directory that holds its module, or install its package."
            ) from error
        except ValueError:  # not a class
            pass
    raise UserError(
        f"{path}: names {target}, which is not trusted. If it is a class of your own, pass its package:"
        " load(..., trust=(PACKAGE,)), --trust PACKAGE on the command line, or trust=[PACKAGE] for train.py."
    )
