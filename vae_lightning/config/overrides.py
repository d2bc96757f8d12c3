"""The command line's overrides before Hydra sees them, and the directory names made from them."""

import hashlib
import json
import re

from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf

from vae_lightning.config.paths import CONF_DIR
from vae_lightning.config.replay import check_replayable
from vae_lightning.config.schema import TOP_LEVEL_OPTIONS, TRAINER_OPTIONS
from vae_lightning.errors import UserError
from vae_lightning.runs.artifacts import read_config, read_overrides
from vae_lightning.runs.discovery import LATEST, find_newest_run, newest_autoencoder, resolve_run
from vae_lightning.runs.format import add_old_defaults, override_key
from vae_lightning.runs.layout import CONFIG, OVERRIDES, find_checkpoint, run_dir_of

VALUE_FLAGS = ("--cfg", "-c", "--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn", "--package", "-p")
EXCLUDE_KEYS = "hydra.job.config.override_dirname.exclude_keys"
LIGHTNING_CHOICES = {"logger=false": "logger=none", "logger=null": "logger=none", "logger=true": "logger=tensorboard"}
IMPLIED_BY_PRIOR_OF = {"model": "latent_prior", "data": "of_run"}
MAX_NAME_BYTES = 200  # of a directory; a file system allows 255


def expand_resume(arguments: list[str]) -> list[str]:
    """Insert the overrides of the run that `resume=` refers to before the given ones, which take precedence.

    So `python train.py resume=runs/NAME/TIME` resumes that run in its own directory. `resume=latest` is the run started
    last, `resume=auto` the newest run with the same options, or a new run if there is none.

    Args:
        arguments: of the command line; returned unchanged if there is no `resume=`.

    Raises:
        UserError: if `resume` does not refer to a run directory or a checkpoint in one.
    """
    given = {override_key(argument): argument for argument in arguments}
    resume = given.pop("resume", "").partition("=")[2].strip("'\"")
    if resume in ("", "null"):
        return arguments
    if {"-m", "--multirun"} & given.keys():
        raise UserError(f"resume={resume}: resumes one run, not a sweep. Rerun a sweep's command to resume it.")
    if resume == "auto":
        options = [option for option in given.values() if not option.startswith("-")]
        newest = find_newest_run(normalize(expand_prior_of(options)))
        if newest is None:
            print("resume=auto: no run with these options; starting a new one", flush=True)
            return [argument for argument in arguments if override_key(argument) != "resume"]
        resume = str(newest)
    checkpoint = find_checkpoint(resolve_run(resume), preferred="last").absolute()
    run = run_dir_of(checkpoint)
    if not (run / OVERRIDES).is_file():
        raise UserError(f"resume={resume}: {run} is not a run directory, it has no {OVERRIDES}. Use runs/NAME/TIME.")
    replaced = {*given, "resume", "run_dir"}  # the run may have been moved
    saved = read_overrides(run)
    if (run / CONFIG).exists():
        saved = add_old_defaults(saved, read_config(run))
    before = [argument for argument in saved if override_key(argument) not in replaced]
    check_replayable(before, run)
    return [*before, *given.values(), f"resume='{checkpoint}'", f"hydra.run.dir='{run}'"]


def expand_prior_of(arguments: list[str]) -> list[str]:
    """Insert the model and the data that `prior_of=RUN` implies, unless they are given.

    Options of the data get `++`, since only the run knows which there are; `config.inheritance` checks them. `latest`
    becomes the newest run that is not a prior itself. Paths are quoted, since those of a sweep's jobs contain `=`.

    Args:
        arguments: of the command line; returned unchanged if there is no `prior_of=`.

    Raises:
        UserError: if it is `latest` and there is no run.
    """
    given = {override_key(argument): argument for argument in arguments}
    prior_of = given.get("prior_of", "").partition("=")[2].strip("'\"")
    if prior_of in ("", "null"):
        return arguments
    if not set(prior_of) & set("'\"()[]{}"):  # a path, or several to sweep over
        paths = [newest_autoencoder() if path == LATEST else path for path in prior_of.split(",")]
        given["prior_of"] = "prior_of=" + ",".join(f"'{path}'" for path in paths)
    implied = [f"{group}={choice}" for group, choice in IMPLIED_BY_PRIOR_OF.items() if group not in given]
    if "data" not in given:
        of_data = {key: value for key, value in given.items() if key.startswith("data.") and value[0] != "~"}
        given |= {key: f"++{value.lstrip('+')}" for key, value in of_data.items()}
    return [*implied, *given.values()]


def normalize(overrides: list[str]) -> list[str]:
    """Return overrides with the prefix that Hydra needs, so that a `+` may be left out or superfluous.

    Options of the Trainer that conf/ does not mention get `++`, and so do other added options, which may exist already.
    A `+` before a config group or an option of conf/train.yaml is removed. `logger=false` works as in Lightning.
    """
    return [override if override.startswith("~") else with_prefix(override) for override in overrides]


def with_prefix(override: str) -> str:
    """Return an override that does not delete anything with the prefix that Hydra needs."""
    key, plain = override_key(override), override.lstrip("+")
    if key in TOP_LEVEL_OPTIONS or (CONF_DIR / key).is_dir():
        return LIGHTNING_CHOICES.get(plain.lower(), plain)
    is_optional = key.startswith("trainer.") and key.removeprefix("trainer.") in TRAINER_OPTIONS
    return f"++{plain}" if is_optional or (override.startswith("+") and "." in key) else override


def name_jobs(overrides: list[str]) -> list[str]:
    """Return an override that names the jobs of a sweep by the swept options only.

    The list is empty if no option is swept, in which case the name lists all overrides.
    """
    parsed = OverridesParser.create().parse_overrides(overrides)
    swept = [override for override in parsed if override.is_sweep_override()]
    if not swept or any(override.key_or_group == EXCLUDE_KEYS for override in parsed):
        return []
    fixed = [json.dumps(override.key_or_group) for override in parsed if not override.is_sweep_override()]
    return [f"{EXCLUDE_KEYS}=[{','.join(fixed)}]"]


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


def job_dir_name(overrides: str) -> str:
    """Return the directory name of a sweep's job: its overrides, without slashes and `+`, cut and hashed if too long.

    Registered with OmegaConf as `${folder_name:...}`. A job without overrides is called `defaults`.
    """
    name = re.sub(r"(^|,)\++", r"\1", overrides).replace("/", ".").encode() or b"defaults"
    if len(name) > MAX_NAME_BYTES:
        name = name[: MAX_NAME_BYTES - 9] + b"-" + hashlib.sha256(name).hexdigest()[:8].encode()
    return name.decode(errors="ignore")


OmegaConf.register_new_resolver("folder_name", job_dir_name, replace=True)


def overridden_options() -> list[str]:
    """Return the options that were set on the command line of this run; of a sweep's job, those that name it."""
    if not HydraConfig.initialized():
        return []
    hydra = HydraConfig.get()
    fixed = hydra.job.config.override_dirname.exclude_keys if hydra.mode == RunMode.MULTIRUN else []
    return [key for key in map(override_key, hydra.overrides.task) if key not in fixed]
