"""Printing errors on one line, with a suggested fix."""

import difflib
import os
import re
import shlex
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

from vae_lightning.config.packages import is_own
from vae_lightning.config.paths import CONF_DIR, config_dirs
from vae_lightning.config.schema import TRAINER_OPTIONS
from vae_lightning.config.traversal import iter_nodes
from vae_lightning.errors import UserError, one_line
from vae_lightning.io.shell import search_path, train_command
from vae_lightning.runs.format import override_key

# Errors that the user can fix: in the overrides, in the files of conf/, on the disk.
USER_FACING_ERRORS = (UserError, HydraException, OmegaConfBaseException, YAMLError, OSError)
NULL_GROUP = "Config group override must be a string or a list"  # Hydra's ValueError for model=null


@contextmanager
def report_errors(debug: bool) -> Iterator[None]:
    """Print an error that the user can fix on one line and exit with code 1; with `debug`, raise it.

    Other errors keep their stack trace. The directory that Hydra has created for the run is removed if it is empty.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise errors instead of printing them over several lines
    try:
        yield
    except BaseException as error:  # also after Ctrl-C
        with suppress(OmegaConfBaseException):  # the error may be in the name of the directory
            if HydraConfig.initialized():
                remove_empty_dirs(Path(HydraConfig.get().runtime.output_dir))
        if debug or not is_user_facing(error):
            raise
        sys.exit(f"error: {format_error(error, sys.argv[1:])}")


def is_user_facing(error: BaseException) -> bool:
    """Return whether the user can fix an error."""
    return isinstance(error, USER_FACING_ERRORS) or (isinstance(error, Exception) and NULL_GROUP in str(error))


def remove_empty_dirs(run_dir: Path) -> None:
    """Remove the directories of `runs/NAME/TIME`, from the innermost outwards, as long as they are empty."""
    with suppress(OSError):  # raised for the first that is not empty
        for folder in (run_dir, *run_dir.parents):
            if folder == Path.cwd():
                return
            if folder.is_dir():
                folder.rmdir()


def format_error(error: BaseException, arguments: list[str]) -> str:
    """Return one line that names the option, the problem and the fix.

    Args:
        error: one of `USER_FACING_ERRORS`.
        arguments: of the command line, for suggestions.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):  # also one that Hydra has wrapped, from a constructor
            return str(cause)
        cause = cause.__cause__
    message = one_line(error)
    if isinstance(error, InstantiationException) and error.__cause__:
        key = message.rpartition("full_key: ")[2]
        unexpected = re.search(r"got an unexpected keyword argument '(\w+)'", message)
        option = f"{key}.{unexpected[1]}" if unexpected else ""
        if option in map(override_key, arguments):
            return f"{option}: no such option. {suggest_option(option, arguments)}"
        if found := re.match(r"Error loading '(.+?)':\s*(.+?)( Are you sure that .+)?$", one_line(error.__cause__)):
            return f"{key}._target_={found[1]}: cannot be imported ({found[2]}). Correct it, or run from its directory."
        problem = one_line(error.__cause__).rstrip(".")
        return f"{key}: {problem}. To see its options, run {train_command()} --cfg job --package {key}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        similar = difflib.get_close_matches(choice.lower(), error.options, n=1)
        meant = f"Did you mean {similar[0]}? " if similar else ""
        own = "Your own are found in conf/ of the current directory, or with --config-dir."
        return f"{group}={choice}: no such choice. {meant}Choose one of {', '.join(error.options)}. {own}"
    if unknown := re.match(r"Could not (?:override|delete from config\.) '([^']+)'", message):
        if unknown[1].startswith("model/") and any(override_key(a) in ("prior_of", "init_from") for a in arguments):
            option = f"model.{unknown[1].removeprefix('model/')}.OPTION=VALUE"
            return f"{unknown[1]}: the trained model has this part. Leave it out, or change an option of it: {option}."
        return f"{unknown[1]}: no such option. {suggest_option(unknown[1], arguments)}"
    if NULL_GROUP in message:
        null = next((a for a in arguments if a.endswith("=null")), "null")
        return f"{null}: not a valid choice. To leave out an optional group, use ~{override_key(null)}."
    if ambiguous := re.match(r"Ambiguous value for argument '([^']+)'", message):
        return f"{ambiguous[1]}: several values make a sweep. Run {train_command()} -m {shlex.join(arguments)}"
    if isinstance(error, OverrideParseException):
        if groups := [group for group in ("model", "data", "experiment") if is_choice(group, str(error.override))]:
            return f"{error.override}: has no name. Did you mean {groups[0]}={error.override}?"
        return f"{error.override}: cannot be parsed. Use name=value, or 'name=\"value\"' with special characters."
    return message


def is_choice(group: str, name: str) -> bool:
    """Return whether a config group has a choice of this name."""
    return any((folder / group / f"{name}.yaml").is_file() for folder in config_dirs())


def suggest_option(key: str, arguments: list[str]) -> str:
    """Return a sentence with the options that an unknown one could mean, given the other arguments."""
    if "/" in key:
        files = {file.relative_to(folder) for folder in config_dirs() for file in folder.rglob("*.yaml")}
        if groups := difflib.get_close_matches(key, {file.parent.as_posix() for file in files}, n=1):
            return f"Did you mean {groups[0]}?"
    others = [a for a in arguments if "=" in a and not a.startswith("-") and override_key(a) != key]
    own = config_dir(arguments)
    if own:
        others.append(f"hydra.searchpath=['file://{Path(own).absolute()}']")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        try:
            cfg = compose("train", others)
        except HydraException:  # there is a second error
            cfg = compose("train")
    parent, _, leaf = key.rpartition(".")
    names = [name for name, _ in iter_nodes(OmegaConf.to_container(cfg)) if "._" not in f".{name}"]  # no _target_
    options = [*names, *(f"trainer.{name}" for name in TRAINER_OPTIONS)]
    leaves = {option: option.rpartition(".")[2] for option in options if option != key}
    containing = [option for option, name in leaves.items() if name == leaf or (len(leaf) > 2 and leaf in name)]
    exact = [option for option in containing if leaves[option] == leaf] if parent else containing
    similar = difflib.get_close_matches(leaf, {*leaves.values()}, cutoff=0.7)
    close = [option for match in similar for option, name in leaves.items() if name == match]
    elsewhere = [f"{group}={choice}" for group, choice in choices_with(leaf, own) if group.startswith(parent)]
    if is_own(OmegaConf.select(cfg, f"{parent}._target_")):  # to whose class the options of others do not belong
        elsewhere = []
    for alike in (in_group(parent, containing), exact, in_group(parent, close)):
        if alike:
            return f"Did you mean {' or '.join(alike[:3])}?"
    if elsewhere:
        elsewhere.sort(key=lambda choice: (leaf not in choice, len(choice) if leaf in choice else 0))
        others = [f"{len(elsewhere) - 3} others"] if len(elsewhere) > 4 else elsewhere[3:]
        return f"It belongs to {' or '.join([*elsewhere[:3], *others])}. Set that as well."
    if containing:
        return f"Did you mean {' or '.join(containing[:3])}?"
    if close:
        return f"Did you mean {' or '.join(close[:3])}?"
    siblings = in_group(parent, options) or options
    return f"The options are {', '.join(siblings)}."


def in_group(group: str, options: list[str]) -> list[str]:
    """Return the options of one group, such as `model.optimizer`."""
    return [option for option in options if option.rpartition(".")[0] == group]


def config_dir(arguments: list[str]) -> str | None:
    """Return the directory in `--config-dir`, if there is one."""
    flags = [argument for argument in search_path(arguments) if not argument.lstrip("+").startswith("hydra.")]
    return flags[-1].rpartition("=")[2] if flags else None


def choices_with(leaf: str, own: str | None) -> Iterator[tuple[str, str]]:
    """Yield the (group, choice) of each configuration file that sets an option of this name, also of a directory."""
    for folder in [*([Path(own)] if own else []), *config_dirs()]:
        for file in sorted(folder.glob("*/**/*.yaml")):
            group = file.parent.relative_to(folder).as_posix()
            options = [*OmegaConf.load(file)]  # also required ones, which `in` would not find
            if not group.startswith(("hydra", "experiment")) and leaf in options:
                yield group, file.stem
