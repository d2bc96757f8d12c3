"""Resuming a run by its overrides: which of them may be replayed, since the run may come from somebody else."""

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from vae_lightning.config.packages import (
    CALLBACK_PACKAGES,
    DATA_PACKAGES,
    TRUSTED_PACKAGES,
    is_own,
    is_trusted,
    package_names,
)
from vae_lightning.errors import UserError
from vae_lightning.io.shell import display_path, search_path, train_command
from vae_lightning.runs.format import override_key

# Their classes only compute, draw or log: an override may name them again.
REPLAYED_PACKAGES = tuple(f"{name}." for name in (*TRUSTED_PACKAGES, *DATA_PACKAGES, *CALLBACK_PACKAGES))
CLASS_NAME = re.compile(r"(\w+\.)+[A-Z]\w*")  # of a package or module, then a class: no function


def resume_command(run_dir: Path) -> str:
    """Return the command that resumes a run, which finds choices and trusts packages as this one does.

    It also trusts the packages of the user's own classes that this command names.
    """
    arguments = sys.argv[1:]
    own = [target.partition(".")[0] for a in arguments for target in named_targets(a) if is_own(target)]
    packages = dict.fromkeys([*(name for a in arguments for name in trusted_packages(a)), *own])
    trust = [f"trust=[{','.join(packages)}]"] * bool(packages)
    options = map(shlex.quote, [*search_path(arguments), *trust])
    return " ".join([train_command(), *options, f"resume={display_path(run_dir)}"])


def trusted_packages(override: str) -> list[str]:
    """Return the packages that `trust=` names; none if the override is another one."""
    return re.findall(r"[^\[\],'\"\s]+", override.partition("=")[2]) if override_key(override) == "trust" else []


def check_replayable(overrides: list[str], run_dir: Path, trust: Sequence[str] = ()) -> None:
    """Check that replaying the overrides of a run can neither run code from it nor read this machine's environment.

    Hydra's flags and its own options, interpolations, configuration files outside of `conf/`, `trust` and classes of
    other packages are not replayed. Users who made the run themselves pass such overrides again on the command line.

    Args:
        overrides: of the run.
        run_dir: the run directory, for messages.
        trust: packages of the user's own, whose classes are allowed.

    Raises:
        UserError: for the first override that is not allowed.
    """
    own = package_names(trust)
    for override in overrides:
        name, value = override_key(override), override.partition("=")[2]
        problem = ""
        if override.startswith("-") or name.partition(".")[0].partition("/")[0] == "hydra":
            problem = "configures Hydra itself"
        elif "${" in override:
            problem = "contains an interpolation"
        elif "." not in name and ".." in value:
            problem = "names a file outside of conf/"
        elif name == "trust":
            problem = "trusts a package"
        elif "_target_" in override and not has_trusted_targets(override, own, run_dir):
            problem = "names a class that is not trusted"
        if problem:
            raise UserError(
                f"resume={run_dir}: its override {override!r} {problem}, so it is not replayed. If you trust it, pass"
                f" {trust_option(override) or 'it again'} on the command line."
            )


def trust_option(override: str) -> str:
    """Return the option that trusts the classes which an override names, if all of them are the user's own."""
    targets = named_targets(override)
    roots = dict.fromkeys(target.partition(".")[0] for target in targets if is_own(target))
    return f"trust=[{','.join(roots)}]" if targets and all(map(is_own, targets)) else ""


def has_trusted_targets(override: str, own: tuple[str, ...], run_dir: Path) -> bool:
    """Return whether each `_target_` that an override sets is a class of the trusted packages, or of `own`."""
    targets = named_targets(override)
    return len(targets) == override.count("_target_") and all(
        isinstance(target, str)
        and CLASS_NAME.fullmatch(target)
        and (target.startswith(REPLAYED_PACKAGES) or (is_own(target) and is_trusted(target, own, run_dir)))
        for target in targets
    )


def named_targets(override: str) -> list[Any]:
    """Return the value of each `_target_` that an override sets."""
    if "_target_" not in override:
        return []
    try:
        value = OverridesParser.create().parse_override(override).value()
    except HydraException:
        return []
    return [*find_targets({override_key(override).rpartition(".")[2]: value})]


def find_targets(value: Any) -> Iterator[Any]:
    """Yield the value of each `_target_` in nested mappings and lists."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if key == "_target_":
                yield entry
            yield from find_targets(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from find_targets(entry)
