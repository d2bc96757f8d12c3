"""A search for the best values of some options: what Optuna knows of it, in the sweep's folder."""

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
OVERRIDES = "overrides"  # the attribute of a trial that holds what was typed for it


def open_study(folder: str | Path, **options: Any) -> optuna.Study:
    """The study in a sweep's folder, begun if there is none.

    Its journal is a text file that several processes and machines may append to.

    Args:
        folder: the sweep's.
        options: what else `optuna.create_study` takes.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(Path(folder) / JOURNAL)))
    return optuna.create_study(study_name="search", storage=storage, load_if_exists=True, **options)


def refuse_another(study: optuna.Study, typed: list[str]) -> None:
    """Raise UserError when what is typed for a study differs from what was typed before."""
    known = study.user_attrs.get("typed", typed)
    if different := sorted(set(known) ^ set(typed)):
        raise UserError(f"sweep: it is another search ({', '.join(different)}); type another name, sweep=NAME")
    study.set_user_attr("typed", typed)


def distribution(override: Override) -> BaseDistribution:
    """What Optuna may choose from: `a,b,c` and `range(1,5)` one of them; `interval(0.5,16)` any number between.

    `int(interval(2,32))` is a whole number, `tag(log,interval(1e-4,1e-2))` is drawn by its logarithm.
    """
    value = override.value()
    if not isinstance(value, IntervalSweep):
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    kind = IntDistribution if isinstance(value.start, int) else FloatDistribution
    return kind(value.start, value.end, log="log" in value.tags)  # type: ignore[arg-type]


def ask(study: optuna.Study, overrides: list[Override]) -> Trial:
    """The next trial, with its job's overrides; numbers have four digits, so that a person can type them again."""
    space = {o.get_key_element(): distribution(o) for o in overrides if o.is_sweep_override()}
    fixed = {o.get_key_element(): o.get_value_element_as_str() for o in overrides if not o.is_sweep_override()}
    trial = study.ask(space)
    chosen = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in trial.params.items()}
    trial.set_user_attr(OVERRIDES, [f"{key}={value}" for key, value in {**fixed, **chosen}.items()])
    return trial


def unfinished(study: optuna.Study) -> list[Trial]:
    """The trials that were cut off or failed."""
    return [reopen(study, trial) for trial in study.get_trials(states=(TrialState.RUNNING,))]


def trial_of(study: optuna.Study, overrides: list[str]) -> Trial | None:
    """The unfinished trial of a job, or None."""
    for trial in unfinished(study):
        if trial.user_attrs.get(OVERRIDES) == overrides:
            return trial
    return None


def reopen(study: optuna.Study, trial: FrozenTrial) -> Trial:
    """A trial of an earlier process, to go on with."""
    return Trial(study, trial._trial_id)
