"""What surrounds Hydra's main: `resume=` before it, one-line errors after it."""

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

from vae_lightning.errors import UserError
from vae_lightning.runs import OVERRIDES, find_checkpoint, run_folder

CONF = Path(__file__).parents[1] / "conf"


@contextmanager
def one_line_errors(debug: bool) -> Iterator[None]:
    """Print a mistake of the user's in one line and exit with code 1; with `debug`, let it pass.

    What is no mistake of the user's keeps its stack trace. The run's folder that Hydra has made goes when it is empty.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them over several lines
    try:
        yield
    except (UserError, HydraException, OmegaConfBaseException) as error:
        if debug:
            raise
        if HydraConfig.initialized():
            with suppress(OSError):
                os.removedirs(HydraConfig.get().runtime.output_dir)
        sys.exit(f"error: {explain(error, sys.argv[1:])}")


def explain(error: BaseException, arguments: list[str]) -> str:
    """One line that says what is wrong, where, and what to type instead."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):  # also when Hydra has wrapped it, on the way out of a constructor
            return str(cause)
        cause = cause.__cause__
    message = " ".join(str(error).split())
    if isinstance(error, InstantiationException) and error.__cause__:
        return f"{message.rpartition('full_key: ')[2]}: {' '.join(str(error.__cause__).split())}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, choice = error.missing_cfg_file.rpartition("/")
        return f"{group}={choice}: there is no such choice; type one of {', '.join(error.options)}"
    if unknown := re.match(r"Could not override '([^']+)'", message):
        return f"{unknown[1]}: there is no such option; {nearest(unknown[1], arguments)}"
    if ambiguous := re.match(r"Ambiguous value for argument '([^']+)'", message):
        return f"{ambiguous[1]}: several values make a sweep; type python train.py -m {ambiguous[1]}"
    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override!r}: type name=value, with quotes around special characters"
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
    if same_leaf := [option for option in options if option.rpartition(".")[2] == leaf]:
        return f"did you mean {' or '.join(same_leaf)}?"
    if elsewhere := [f"{group}={choice}" for group, choice in choices_with(leaf) if group.startswith(parent)]:
        return f"it belongs to {' or '.join(elsewhere)}"
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


def recall(arguments: list[str]) -> list[str]:
    """Put what was typed for the run that `resume=` names before what is typed now, which wins.

    So `python train.py resume=runs/NAME/TIME` alone goes on with that very run, in its own folder.

    Args:
        arguments: the command line's; returned as they are when there is no `resume=`.

    Raises:
        UserError: when `resume` names no run's folder or checkpoint.
    """
    typed = {option_name(argument): argument for argument in arguments}
    resume = typed.pop("resume", "").partition("=")[2].strip("'\"")
    if resume in ("", "null"):
        return arguments
    if {"-m", "--multirun"} & typed.keys():
        raise UserError("resume goes on with one run; leave out -m")
    checkpoint = find_checkpoint(resume, preferred="last").absolute()
    run = run_folder(checkpoint)
    if not (run / OVERRIDES).is_file():
        raise UserError(f"resume={resume}: {run} is no run's folder, it has no {OVERRIDES}; type runs/NAME/TIME")
    before = [a for a in map(str, OmegaConf.load(run / OVERRIDES)) if option_name(a) not in {*typed, "resume"}]
    return [*before, *typed.values(), f"resume='{checkpoint}'", f"hydra.run.dir='{run}'"]


def option_name(argument: str) -> str:
    """`+model.beta=4` -> `model.beta`: what an argument is about."""
    return argument.partition("=")[0].lstrip("+~")
