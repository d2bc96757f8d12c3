"""The Optuna study of a search, stored in the directory of the sweep."""

from pathlib import Path
from typing import Any

import optuna
from hydra.core.override_parser.types import IntervalSweep, Override
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from vae_lightning.errors import UserError

JOURNAL = "study.journal"
OVERRIDES = "overrides"  # the trial attribute with the overrides of its job


def open_study(folder: str | Path, **options: Any) -> optuna.Study:
    """Open the study in the directory of a sweep, or create it.

    Its journal is a text file that several processes and machines may append to.

    Args:
        folder: the directory of the sweep.
        options: further arguments of `optuna.create_study`.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(Path(folder) / JOURNAL)))
    return optuna.create_study(study_name="search", storage=storage, load_if_exists=True, **options)


def check_same_search(study: optuna.Study, overrides: list[str]) -> None:
    """Check that a study is continued with the options that it was started with.

    Raises:
        UserError: if they differ.
    """
    known = study.user_attrs.get("typed", overrides)
    if different := sorted(set(known) ^ set(overrides)):
        raise UserError(
            f"sweep: its directory holds a different search ({', '.join(different)}). Set another name with sweep=NAME."
        )
    study.set_user_attr("typed", overrides)


def to_distribution(override: Override) -> BaseDistribution:
    """Return Optuna's distribution for an override.

    `a,b,c` and `range(1,5)` are one of these values, `interval(0.5,16)` is any number in between,
    `int(interval(2,32))` an integer, `tag(log,interval(1e-4,1e-2))` is sampled on a logarithmic scale.
    """
    value = override.value()
    if not isinstance(value, IntervalSweep):
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    kind = IntDistribution if isinstance(value.start, int) else FloatDistribution
    return kind(value.start, value.end, log="log" in value.tags)  # type: ignore[arg-type]


def ask_trial(study: optuna.Study, overrides: list[Override]) -> Trial:
    """Return the next trial, with the overrides of its job. Numbers have four digits, to be easy to retype."""
    space = {o.get_key_element(): to_distribution(o) for o in overrides if o.is_sweep_override()}
    fixed = {o.get_key_element(): o.get_value_element_as_str() for o in overrides if not o.is_sweep_override()}
    trial = study.ask(space)
    chosen = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in trial.params.items()}
    trial.set_user_attr(OVERRIDES, [f"{key}={value}" for key, value in {**fixed, **chosen}.items()])
    return trial


def unfinished_trials(study: optuna.Study) -> list[Trial]:
    """Return the trials that were interrupted or failed."""
    return [reopen_trial(study, trial) for trial in study.get_trials(states=(TrialState.RUNNING,))]


def find_trial(study: optuna.Study, overrides: list[str]) -> Trial | None:
    """Return the unfinished trial of a job, or None."""
    for trial in unfinished_trials(study):
        if trial.user_attrs.get(OVERRIDES) == overrides:
            return trial
    return None


def reopen_trial(study: optuna.Study, trial: FrozenTrial) -> Trial:
    """Reopen a trial of an earlier process."""
    return Trial(study, trial._trial_id)
