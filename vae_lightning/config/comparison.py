"""Deciding whether two configurations describe the same run."""

from typing import Any

from vae_lightning.config.traversal import iter_leaves

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
