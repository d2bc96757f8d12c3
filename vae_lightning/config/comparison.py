"""Comparing configurations: whether two describe the same run, and whether one can resume the run of the other."""

import math
from pathlib import Path
from typing import Any

from vae_lightning.config.traversal import iter_leaves
from vae_lightning.errors import UserError

# These change where a run is written, what it shows and when it is given up, but not what it learns.
NOT_COMPARED = (
    "run_dir",
    "resume",
    "sweep",
    "debug",
    "trust",
    "callbacks.collapse",
    "callbacks.figures",
    "callbacks.histograms",
    "callbacks.metrics",
    "callbacks.progress_bar",
    "callbacks.projector",
    "callbacks.pruning",
    "data.cache",
    "data.device_resident",
    "data.download",
    "logger",
    "trainer.default_root_dir",
    "trainer.enable_model_summary",
    "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
    "trainer.profiler",
)

# Null in the configuration of a new run if they are those of the data.
OF_THE_DATA = ("image_shape", "num_classes")

MMD_OPTIONS = {"bandwidth": None, "bandwidth_factors": [1.0], "mmd_estimator": "unbiased"}
# Options that a class was given later, with the values that runs had before. So an older run is still the same run.
ADDED_OPTIONS: dict[str, dict[str, Any]] = {
    "vae_lightning.data.ArrayDataModule": {"dtype": "uint8"},
    "vae_lightning.distributions.VampPrior": {"from_images": False},
    "vae_lightning.models.AdaGVAE": {"changed_latents": None},
    "vae_lightning.models.AdaMLVAE": {"changed_latents": None},
    "vae_lightning.models.AnnealedVAE": {"initial_capacity": 0.0},
    "vae_lightning.models.AutoencoderKL": {"features": "random"},
    "vae_lightning.models.DFCVAE": {"features": "random"},
    "vae_lightning.models.HVAE": {"inference": "ladder"},
    "vae_lightning.models.IWAE": {"gradient": "standard"},
    "vae_lightning.models.InfoVAE": MMD_OPTIONS,
    "vae_lightning.models.WAE": MMD_OPTIONS,
}
# The same for options of every dataset.
ADDED_LOADING_OPTIONS = {"data.flip": False}

# These end the training, so a run with a higher limit continues the same run.
LIMITS = ("trainer.max_epochs", "trainer.max_steps", "trainer.max_time")

# Options of the model that a resumed run may change: weights of the objective and hyperparameters of the optimizers.
CHANGEABLE = {
    "alpha",
    "beta",
    "capacity",
    "changed_latents",
    "classification_weight",
    "decay",
    "discrete_capacity",
    "discriminator_start",
    "discriminator_weight",
    "elbo_weight",
    "entropy_weight",
    "free_bits",
    "gamma",
    "gradient",
    "group_size",
    "initial_capacity",
    "lambda_adv",
    "lambda_d",
    "lambda_decoder",
    "lambda_gc",
    "lambda_gd",
    "lambda_mmd",
    "lambda_od",
    "lambda_sw",
    "margin",
    "num_bounds",
    "num_projections",
    "num_samples",
    "perceptual_weight",
    "pixel_weight",
    "step_size",
    "supervision_weight",
    "temperature",
    "tolerance",
    "triplet_weight",
}
# Options of the data that a resumed run cannot change: it would train on its test images, or on others than it reports.
FIXED_IN_DATA = {
    "_target_",
    "attributes",
    "binarize",
    "crop",
    "factor_sizes",
    "image_shape",
    "labeled_per_class",
    "num_classes",
    "split_seed",
    "test_fraction",
    "test_size",
    "val_fraction",
    "val_size",
    "variant",
}
CHANGEABLE_IN_OPTIMIZERS = {"betas", "eps", "lr", "momentum", "weight_decay"}


def config_identity(config: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies a run: its resolved configuration, flat, with its directory replaced by a placeholder.

    Options that are newer than the run are included, with the value of `ADDED_OPTIONS` or `ADDED_LOADING_OPTIONS`.

    Args:
        config: a resolved configuration with current names, see `runs.format.migrate_config`.
    """
    folder = str(config["run_dir"])  # a damaged checkpoint may hold anything
    identity = ADDED_LOADING_OPTIONS | {
        key: f"run_dir{value[len(folder) :]}" if value == folder or f"{value}".startswith(f"{folder}/") else value
        for key, value in iter_leaves(config)
        if not f"{key}.".startswith(tuple(f"{name}." for name in NOT_COMPARED))
    }
    targets = {key: value for key, value in identity.items() if key.endswith("_target_") and isinstance(value, str)}
    for key, target in targets.items():
        for name, value in ADDED_OPTIONS.get(target, {}).items():
            identity.setdefault(key.replace("_target_", name), value)
    return identity


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the options in which two identities differ, with both values."""
    return {
        key: (old.get(key), new.get(key))
        for key in {**old, **new}
        if old.get(key) != new.get(key) and not (key.endswith(OF_THE_DATA) and new.get(key) is None)
    }


def trains_longer(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether one run has a higher limit than the same run before, or another limit on its time."""
    old, new = ({"max_epochs": None, "max_steps": -1, "max_time": None} | config["trainer"] for config in (before, now))
    longer = [end_of(new[name]) > end_of(old[name]) for name in ("max_epochs", "max_steps")]
    return any(longer) or new["max_time"] != old["max_time"]


def end_of(limit: int | None) -> float:
    """Return a limit of Lightning's Trainer as a number: None and -1 mean that there is none."""
    return math.inf if limit is None or limit == -1 else limit


def changed_options(before: dict[str, Any], now: dict[str, Any], source: Path) -> dict[str, tuple[Any, Any]]:
    """Return the options that a resumed run changes, with their old and new values.

    Args:
        before: the resolved configuration of the run.
        now: the resolved configuration that resumes it.
        source: where the configuration of the run comes from, for error messages.

    Raises:
        UserError: if the weights of the old model cannot be used in the new one, or would mean something else there,
            or the images are others.
    """
    changes = differences(config_identity(before), config_identity(now))
    for key, (was, value) in changes.items():
        if key == "model.scheduler.T_max" and value == now["trainer"]["max_epochs"]:
            raise UserError(
                f"trainer.max_epochs={value}: with model/scheduler=cosine, the learning rate of {source} ended at epoch"
                f" {was}. Start a new run, or set model.scheduler.T_max={was} to let it rise again."
            )
        if key.startswith("data.") and key.removeprefix("data.") in FIXED_IN_DATA:
            raise UserError(
                f"{key}={value}: {source} was trained with {was}. Leave the option out, or start a new run from its"
                " weights with init_from."
            )
        if key.startswith("model.") and not is_changeable(key.removeprefix("model.")):
            raise UserError(
                f"{key}={value}: {source} has {was}, and its weights depend on it. Leave the option out, or start a"
                " new run."
            )
    return changes


def is_changeable(key: str) -> bool:
    """Return whether a resumed run may change an option of the model."""
    group, _, name = key.rpartition(".")
    return key in CHANGEABLE or (group.endswith("optimizer") and name in CHANGEABLE_IN_OPTIMIZERS)
