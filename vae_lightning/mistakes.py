"""Mistakes on the command line, told in one line: what is wrong, where, and what to type instead."""

import difflib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from vae_lightning.commandline import option_name
from vae_lightning.errors import UserError, one_line

CONF = Path(__file__).parents[1] / "conf"
# what a person can mend: what is typed, the files of conf/, the disk
TOLD = (UserError, HydraException, OmegaConfBaseException, YAMLError, OSError)
NULL_GROUP = "Config group override must be a string or a list"  # Hydra's ValueError for model=null


@contextmanager
def one_line_errors(debug: bool) -> Iterator[None]:
    """Print a mistake of the user's in one line and exit with code 1; with `debug`, let it pass.

    What is no mistake of the user's keeps its stack trace. The folder that Hydra has made for the run goes, if nothing
    is in it.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them over several lines
    try:
        yield
    except Exception as error:
        if not isinstance(error, TOLD) and NULL_GROUP not in str(error):
            raise
        with suppress(OmegaConfBaseException):  # where the mistake is in the very name of the folder
            if HydraConfig.initialized():
                discard(Path(HydraConfig.get().runtime.output_dir))
        if debug:
            raise
        sys.exit(f"error: {explain(error, sys.argv[1:])}")


def discard(run_dir: Path) -> None:
    """Remove the empty folders `runs/NAME/TIME`, from the last to the first, as far as they are empty."""
    with suppress(OSError):  # the first that is not
        for folder in (run_dir, *run_dir.parents):
            if folder == Path.cwd():
                return
            folder.rmdir()


def explain(error: BaseException, arguments: list[str]) -> str:
    """One line that says what is wrong, where, and what to type instead."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):  # also when Hydra has wrapped it, on the way out of a constructor
            return str(cause)
        cause = cause.__cause__
    message = one_line(error)
    if isinstance(error, InstantiationException) and error.__cause__:
        part = message.rpartition("full_key: ")[2]
        return (
            f"{part}: {one_line(error.__cause__)}; to see its options, type python train.py --cfg job --package {part}"
        )
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return f"{group}={choice}: there is no such choice; type one of {', '.join(error.options)}"
    if unknown := re.match(r"Could not override '([^']+)'", message):
        return f"{unknown[1]}: there is no such option; {nearest(unknown[1], arguments)}"
    if NULL_GROUP in message:
        null = next((a for a in arguments if a.endswith("=null")), "null")
        return f"{null}: is no choice; to leave out what can be left out, type ~{option_name(null)}"
    if ambiguous := re.match(r"Ambiguous value for argument '([^']+)'", message):
        return f"{ambiguous[1]}: several values make a sweep; type python train.py -m {ambiguous[1]}"
    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override}: type name=value, or 'name=\"value\"' for a value with special characters"
    return message


def nearest(key: str, arguments: list[str]) -> str:
    """What could have been meant by an unknown `key`, in the configuration that the other arguments compose."""
    others = [a for a in arguments if "=" in a and not a.startswith("-") and option_name(a) != key]
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            cfg = compose("train", others)
        except HydraException:  # a second mistake
            cfg = compose("train")
    parent, _, leaf = key.rpartition(".")
    options = list(option_names(OmegaConf.to_container(cfg)))
    if alike := [option for option in options if leaf in option.rpartition(".")[2]]:
        return f"did you mean {' or '.join(alike)}?"
    if elsewhere := [f"{group}={choice}" for group, choice in choices_with(leaf) if group.startswith(parent)]:
        return f"it belongs to {' or '.join(elsewhere)}; type that as well"
    if close := difflib.get_close_matches(key, options):
        return f"did you mean {' or '.join(close)}?"
    siblings = [option for option in options if option.rpartition(".")[0] == parent] or options
    return f"there are {', '.join(siblings)}"


def choices_with(leaf: str) -> Iterator[tuple[str, str]]:
    """The (group, choice) of each file in a group that sets an option of this name."""
    for file in sorted(CONF.glob("*/**/*.yaml")):
        group = file.parent.relative_to(CONF).as_posix()
        if not group.startswith(("hydra", "experiment")) and leaf in OmegaConf.load(file):
            yield group, file.stem


def option_names(config: object, prefix: str = "") -> Iterator[str]:
    """Each dotted key of a nested configuration that a person would type."""
    if isinstance(config, dict):
        for name, value in config.items():
            if not name.startswith("_"):
                yield prefix + name
                yield from option_names(value, f"{prefix}{name}.")
