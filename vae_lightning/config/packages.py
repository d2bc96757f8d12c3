"""Packages whose classes a file may name."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from vae_lightning.errors import UserError, one_line

# Their classes only compute: constructing one opens no file and no connection.
TRUSTED_PACKAGES = (
    "vae_lightning.models",
    "vae_lightning.networks",
    "vae_lightning.distributions",
    "vae_lightning.posteriors",
    "vae_lightning.priors",
    "vae_lightning.regularizers",
    "torch.optim",
)
DATA_PACKAGES = ("vae_lightning.data",)
CALLBACK_PACKAGES = ("vae_lightning.callbacks", "lightning.pytorch.callbacks")
# Packages that no user needs to trust, and whose classes and options have the meanings that conf/ gives them.
LIBRARIES = {*sys.stdlib_module_names, "lightning", "torch", "vae_lightning"}
IMPORT_FIX = (
    "Run the command from the directory that holds its module, add that directory to PYTHONPATH, or install its"
    " package."
)


def find_own_modules() -> None:
    """Let modules of the user's own be imported from the current directory, wherever the command is installed."""
    if os.getcwd() not in sys.path:  # noqa: PTH109 - sys.path holds strings
        sys.path.insert(0, os.getcwd())  # noqa: PTH109


def is_own(target: Any) -> bool:
    """Return whether a class or module is the user's own, not one of Python, this package, Lightning or torch."""
    return isinstance(target, str) and target.partition(".")[0] not in LIBRARIES


def package_names(trust: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of packages, of which one may be a str, and a module be named by its file.

    Raises:
        UserError: if one is not the name of a package.
    """
    names = tuple(name.removesuffix(".py") for name in ([trust] if isinstance(trust, str) else trust))
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise UserError(f"trust={name}: not a package. Use its name in an import, such as my_networks.")
    return names


def is_trusted(target: Any, packages: tuple[str, ...], path: Path) -> bool:
    """Return whether a target is a class that one of the packages itself defines. A package may also be the class.

    An alias, such as `vae_lightning.checkpointing.loading.Path`, could reach classes that other packages define.

    Raises:
        UserError: if a target of these packages cannot be imported.
    """
    inside = tuple(f"{package}." for package in packages)
    if not isinstance(target, str) or not f"{target}.".startswith(inside):
        return False
    try:
        found = resolve_name(target)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{path}: names {target}, which cannot be imported ({one_line(error)}). {IMPORT_FIX}"
        ) from error
    except ValueError:  # not a dotted name
        return False
    return isinstance(found, type) and f"{found.__module__}.{found.__qualname__}.".startswith(inside)


def import_function(option: str, target: str) -> Callable[..., Any]:
    """Import a function that the user names on the command line, such as `my_metrics.sparsity`.

    Raises:
        UserError: if there is none.
    """
    try:
        function = resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{option}={target}: cannot be imported ({one_line(error)}). {IMPORT_FIX}") from error
    if not callable(function):
        raise UserError(f"{option}={target}: not a function. Use MODULE.FUNCTION.")
    return function
