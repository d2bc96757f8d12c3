"""Which classes a file may name, so that loading a checkpoint never runs code from it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vae_lightning.config.packages import TRUSTED_PACKAGES, is_own, is_trusted, package_names
from vae_lightning.errors import UserError

Trust = str | Sequence[str]  # packages of the user's own, or a single one


class Part(NamedTuple):
    """A part of a configuration.

    Attributes:
        config: plain containers.
        path: the file that it comes from, for messages.
        packages: those whose classes it may name.
    """

    config: Any
    path: Path
    packages: tuple[str, ...] = TRUSTED_PACKAGES


class UntrustedError(UserError):
    """Classes that are not trusted.

    Attributes:
        problem: the first sentence of the message, without the file.
        packages: the packages to trust if the classes are the user's own.
    """

    def __init__(self, targets: Sequence[str], path: Path) -> None:
        several = len(targets) > 1
        self.problem = f"names {' and '.join(targets)}, which {'are' if several else 'is'} not trusted"
        roots = dict.fromkeys(target.partition(".")[0] for target in targets)
        self.packages = [root for root in roots if root.isidentifier() and is_own(root)]
        fix = "Restore the original file."
        if self.packages:
            fix = (
                f"If you wrote {'these classes' if several else 'this class'}, pass {trust_options(self.packages)} on"
                f" the command line, trust={self.packages} in Python, or trust=[{','.join(self.packages)}] to train.py."
            )
        super().__init__(f"{path}: {self.problem}. {fix}")


def trust_options(packages: Sequence[str]) -> str:
    """Return the options of the command line that trust packages."""
    return " ".join(f"--trust {package}" for package in packages)


def check_trusted(trust: Trust, *parts: Part) -> None:
    """Check that every `_target_` of a configuration, at any depth, is a class of a trusted package.

    Args:
        trust: packages of the user's own.
        *parts: of the configuration; their classes that are not trusted are all in one message.

    Raises:
        UntrustedError: if a target is not trusted.
        UserError: if one cannot be imported, or if the configuration contains an interpolation or anything but plain
            containers.
    """
    own = package_names(trust)
    untrusted = [
        (target, part.path)
        for part in parts
        for target in iter_targets(part.config, part.path)
        if not is_trusted(target, (*part.packages, *own), part.path)
    ]
    if untrusted:
        raise UntrustedError(list(dict.fromkeys(str(target) for target, _ in untrusted)), untrusted[0][1])


def iter_targets(config: Any, path: Path) -> Iterator[Any]:
    """Yield every `_target_` of a configuration, at any depth.

    Raises:
        UserError: if it contains an interpolation or anything but plain containers.
    """
    if type(config) is dict:
        if "_target_" in config:
            yield config["_target_"]
        config = [*config, *config.values()]
    if type(config) is list:
        for value in config:
            yield from iter_targets(value, path)
    # A resolved configuration has no interpolations, and one could assemble a target.
    elif "${" in str(config) or not isinstance(config, str | int | float | None):
        raise UserError(f"{path}: contains {config!r}, which is not trusted in a configuration. Restore the file.")
