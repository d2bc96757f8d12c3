"""Which overrides of a saved run may be replayed when it is resumed, since the run may come from somebody else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from vae_lightning.config.packages import CALLBACK_PACKAGES, DATA_PACKAGES, TRUSTED_PACKAGES
from vae_lightning.errors import UserError
from vae_lightning.runs.format import override_key

# Their classes only compute, draw or log: an override may name them again.
REPLAYED_PACKAGES = tuple(f"{name}." for name in (*TRUSTED_PACKAGES, *DATA_PACKAGES, *CALLBACK_PACKAGES))
CLASS_NAME = re.compile(r"(\w+\.)+[A-Z]\w*")  # of a package or module, then a class: no function


def check_replayable(overrides: list[str], run_dir: Path) -> None:
    """Check that replaying the overrides of a run can neither run code from it nor read this machine's environment.

    Hydra's flags and its own options, interpolations, configuration files outside of `conf/`, `trust` and classes of
    other packages are not replayed. Users who made the run themselves pass such overrides again on the command line.

    Raises:
        UserError: for the first override that is not allowed.
    """
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
        elif "_target_" in override and not has_trusted_targets(override):
            problem = "names a class that is not trusted"
        if problem:
            raise UserError(
                f"resume={run_dir}: its override {override!r} {problem}, so it is not replayed. If you trust it, remove"
                " it from .hydra/overrides.yaml and pass it again on the command line."
            )


def has_trusted_targets(override: str) -> bool:
    """Return whether each `_target_` that an override sets is a class of the trusted packages."""
    try:
        value = OverridesParser.create().parse_override(override).value()
    except HydraException:
        return False
    targets = [*find_targets({override_key(override).rpartition(".")[2]: value})]
    return len(targets) == override.count("_target_") and all(
        isinstance(target, str) and CLASS_NAME.fullmatch(target) and target.startswith(REPLAYED_PACKAGES)
        for target in targets
    )


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
