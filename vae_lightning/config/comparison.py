"""Comparing configurations: whether two describe the same run, and whether one can resume the run of the other."""

from typing import Any

from vae_lightning.config.traversal import iter_leaves
from vae_lightning.errors import UserError

# These change where a run is written, what it shows and when it is given up, but not what it learns.
NOT_COMPARED = (
    "run_dir",
    "resume",
    "sweep",
    "debug",
    "callbacks.collapse",
    "callbacks.figures",
    "callbacks.histograms",
    "callbacks.progress_bar",
    "callbacks.projector",
    "callbacks.pruning",
    "data.num_classes",  # null in a new configuration if it is counted in the data
    "logger",
    "model.num_classes",
    "trainer.default_root_dir",
    "trainer.enable_model_summary",
    "trainer.enable_progress_bar",
    "trainer.profiler",
)

# Options of the model that a resumed run may change: weights of the objective and hyper-parameters of the optimizers.
CHANGEABLE = {"alpha", "beta", "capacity", "decay", "gamma", "lambda_d", "lambda_mmd", "lambda_od", "num_samples"}
CHANGEABLE_IN_OPTIMIZERS = {"betas", "eps", "lr", "momentum", "weight_decay"}


def config_identity(config: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies a run: its resolved configuration, flat, with its directory replaced by a placeholder.

    Args:
        config: a resolved configuration with current names, see `runs.format.migrate_config`.
    """
    folder = config["run_dir"]
    return {
        key: value.replace(folder, "run_dir") if isinstance(value, str) else value
        for key, value in iter_leaves(config)
        if not f"{key}.".startswith(tuple(f"{name}." for name in NOT_COMPARED))
    }


def changed_options(before: dict[str, Any], now: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the options that a resumed run changes, with their old and new values.

    Args:
        before: the resolved configuration of the run.
        now: the resolved configuration that resumes it.

    Raises:
        UserError: if the weights of the old model cannot be used in the new one, or would mean something else there.
    """
    old, new = config_identity(before), config_identity(now)
    changes = {key: (old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)}
    for key, (was, value) in changes.items():
        if key.startswith("model.") and not is_changeable(key.removeprefix("model.")):
            raise UserError(
                f"{key}={value}: the run to resume has {was}, and its weights depend on it. Leave the option out, or"
                " start a new run."
            )
    return changes


def is_changeable(key: str) -> bool:
    """Return whether a resumed run may change an option of the model."""
    group, _, name = key.rpartition(".")
    return key in CHANGEABLE or (group.endswith("optimizer") and name in CHANGEABLE_IN_OPTIMIZERS)
