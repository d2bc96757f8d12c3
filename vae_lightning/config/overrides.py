"""The command line's overrides before Hydra sees them."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from hydra.types import RunMode

from vae_lightning.config.flags import split_flags
from vae_lightning.config.paths import CONF_DIR
from vae_lightning.config.replay import check_replayable, trusted_packages
from vae_lightning.config.schema import TOP_LEVEL_OPTIONS, TRAINER_OPTIONS
from vae_lightning.errors import UserError
from vae_lightning.runs.artifacts import read_config, read_overrides
from vae_lightning.runs.discovery import LATEST, find_newest_run, newest_source, resolve_run
from vae_lightning.runs.format import add_old_defaults, override_key
from vae_lightning.runs.layout import CONFIG, OVERRIDES, find_checkpoint, has_resumable_checkpoint, run_dir_of

LIGHTNING_CHOICES = {"logger=false": "logger=none", "logger=null": "logger=none", "logger=true": "logger=tensorboard"}
OF_RUN = "of_run"  # the choice of a model or data that are those of another run
IMPLIED = {  # option that names a run -> the choices that it implies
    "prior_of": {"model": "latent_prior", "data": OF_RUN},
    "init_from": {"model": OF_RUN, "data": OF_RUN},
}


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
    resume = unquoted(given.pop("resume", ""))
    if resume in ("", "null"):
        return arguments
    if {"-m", "--multirun"} & given.keys():
        raise UserError(f"resume={resume}: resumes one run, not a sweep. Rerun a sweep's command to resume it.")
    if resume == "auto":
        _, options = split_flags([*given.values()])
        if "run_dir" in given:
            folder = Path(unquoted(given["run_dir"]))
            newest = folder if has_resumable_checkpoint(folder) else None
        else:
            newest = find_newest_run(normalize(expand_sources(options)))
        if newest is None:
            print("resume=auto: no run with these options; starting a new one", flush=True)
            return [argument for argument in arguments if override_key(argument) != "resume"]
        resume = str(newest)
    checkpoint = find_checkpoint(resolve_run(resume), preferred="last").absolute()
    run = run_dir_of(checkpoint)
    if not (run / OVERRIDES).is_file():
        raise UserError(f"resume={resume}: {run} is not a run directory (no {OVERRIDES}). Use runs/NAME/TIME.")
    replaced = {*given, "resume", "run_dir"}  # the run may have been moved
    saved = read_overrides(run)
    if (run / CONFIG).exists():
        saved = add_old_defaults(saved, read_config(run))
    before = [argument for argument in saved if override_key(argument) not in replaced]
    check_replayable(before, run, trusted_packages(given.get("trust", "")))
    return [*before, *given.values(), f"resume='{checkpoint}'", f"hydra.run.dir='{run}'"]


def expand_sources(arguments: list[str]) -> list[str]:
    """Insert the model and the data that `prior_of=RUN` or `init_from=RUN` implies, unless they are given.

    Options of the run's model and data get `++`, since only the run knows which there are; `config.inheritance` checks
    them. `latest` becomes the newest run that does not have such an option itself. Paths are quoted, since those of a
    sweep's jobs contain `=`.

    Args:
        arguments: of the command line; returned unchanged if there is no `prior_of=` or `init_from=`.

    Raises:
        UserError: if it is `latest` and there is no run.
    """
    given = {override_key(argument): argument for argument in arguments}
    for option, implied in IMPLIED.items():
        source = given.get(option, "").partition("=")[2].strip("'\"")
        if source in ("", "null"):
            continue
        if not set(source) & set("'\"()[]{}"):  # a path, or several to sweep over
            paths = [newest_source(option) if path == LATEST else path for path in source.split(",")]
            given[option] = f"{option}=" + ",".join(f"'{path}'" for path in paths)
        missing = {group: choice for group, choice in implied.items() if group not in given}
        for group in implied:
            if OF_RUN in missing.get(group, given.get(group, "").partition("=")[2]).split(","):
                of_run = {key: value for key, value in given.items() if key.startswith(f"{group}.") and value[0] != "~"}
                given |= {key: f"++{value.lstrip('+')}" for key, value in of_run.items()}
        return [*(f"{group}={choice}" for group, choice in missing.items()), *given.values()]
    return arguments


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


def defer_options(overrides: list[str]) -> list[str]:
    """Return the overrides of a sweep, in which options of a swept group, such as `model.beta=4`, sweep over one value.

    Hydra first composes a configuration without what is swept, and would not find these options in the default choice.
    An experiment may choose any group. Values that a sweep cannot hold get `++` instead.
    """
    parsed = dict(zip(overrides, OverridesParser.create().parse_overrides(overrides), strict=True))
    keys = [override.key_or_group for override in parsed.values() if override.is_sweep_override()]
    groups = ("model", "data", "trainer", "callbacks") if "experiment" in keys else ()
    swept = tuple(f"{key.replace('/', '.')}." for key in (*keys, *groups))
    deferred = {}
    for text, override in parsed.items():
        key, value = override.key_or_group, text.partition("=")[2]
        if override.type == OverrideType.CHANGE and not override.is_sweep_override() and key.startswith(swept):
            is_special = value in ("", "null") or value[0] in "'\""
            deferred[text] = f"++{text}" if is_special else f"{key}=choice({value})"
    return [deferred.get(override, override) for override in overrides]


def unquoted(override: str) -> str:
    """Return the value of an override without the quotes around it."""
    value = override.partition("=")[2]
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def place_run(overrides: list[str]) -> list[str]:
    """Return an override that makes Hydra create `run_dir` if it is given, instead of a directory named by the time."""
    given = {override_key(override): override for override in overrides}
    if unquoted(given.get("run_dir", "")) in ("", "null") or "hydra.run.dir" in given:
        return []
    return [f"hydra.run.dir={given['run_dir'].partition('=')[2]}"]


def overridden_options() -> list[str]:
    """Return the options that were set on the command line of this run; of a sweep's job, those that name it."""
    if not HydraConfig.initialized():
        return []
    hydra = HydraConfig.get()
    fixed = hydra.job.config.override_dirname.exclude_keys if hydra.mode == RunMode.MULTIRUN else []
    return [key for key in map(override_key, hydra.overrides.task) if key not in fixed]
