"""The format of a run's files: the keys of its checkpoints, the version, and the migration of older versions.

Version 1 had no version number. It named some classes and options differently; these are renamed when a file of it is
read, so runs of version 1 can still be loaded, evaluated, reported and resumed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_lightning.errors import UserError

FORMAT_VERSION = 2


class CheckpointKey:
    """The keys of a checkpoint, besides Lightning's own."""

    VERSION = "format_version"
    CONFIG = "config"  # the resolved configuration, as plain containers
    DATA = "data_identity"  # by which changed images are recognized, see `ImageDataModule.identity`
    METRICS = "metrics"  # the metrics logged last
    RANDOM_STATE = "random_state"  # of all random number generators
    STOPPED = "stopped"  # whether early stopping ended the training here
    WARMUP = "warmup"  # the factor on the penalty
    IMAGES_SEEN = "images_seen"  # the number of training images so far
    MEANS = "means"  # sums of the training terms of an unfinished epoch
    HISTORY = "history"  # what the training curves are drawn from
    LABEL_NAMES = "label_names"  # of the training images; in an exported model part of the configuration


# What a checkpoint must hold for a run to resume from it, besides a configuration and the weights.
RESUME_KEYS: dict[str, Any] = {
    "epoch": int,
    "global_step": int,
    CheckpointKey.IMAGES_SEEN: int,
    CheckpointKey.METRICS: dict,
    CheckpointKey.WARMUP: (int, float),
    CheckpointKey.MEANS: dict,
    CheckpointKey.RANDOM_STATE: list,
    "optimizer_states": list,
    "callbacks": dict,
    "loops": dict,
}

# Version 1 -> version 2. Names that only ever occur in code are not listed, since no file contains them.
RENAMED_TARGETS = {
    "vae_lightning.callbacks.Projector": "vae_lightning.callbacks.EmbeddingProjector",
    "vae_lightning.callbacks.Warmup": "vae_lightning.callbacks.BetaWarmup",
    "vae_lightning.ddp.DDP": "vae_lightning.distributed.ddp.WatchdogDDPStrategy",
    "vae_lightning.training.tensorboard.TensorBoard": "vae_lightning.loggers.TensorBoard",
    "vae_lightning.machine.NoProfiler": "vae_lightning.training.performance.NullProfiler",
}
RENAMED_OPTIONS = {
    "callbacks.figures.at_end": "callbacks.figures.final",
    "callbacks.figures.while_training": "callbacks.figures.periodic",
    "data.test_share": "data.test_fraction",
    "data.val_share": "data.val_fraction",
    "data.validate_on": "data.validation_split",
    "model.kind": "model.variant",
    "model.likelihood.learn": "model.likelihood.scale_type",
    "model.num_codes": "model.codebook_size",
}
CODE_MODELS = tuple(f"vae_lightning.models.{name}" for name in ("VQVAE", "RVQVAE", "FSQVAE", "LFQVAE"))
AUTOENCODER = "vae_lightning.models.AE"
RENAMED_VALUES = {("model.likelihood.scale_type", "none"): "fixed"}


def check_version(checkpoint: Mapping[str, Any], path: Path) -> None:
    """Check that a checkpoint is not of a newer version than this one can read.

    Raises:
        UserError: if the version is newer, or not a version at all.
    """
    version = checkpoint.get(CheckpointKey.VERSION, 1)
    if type(version) is not int or version > FORMAT_VERSION:
        raise UserError(
            f"{path}: written in format {version}, but this version of vae_lightning reads up to format"
            f" {FORMAT_VERSION}. Upgrade vae_lightning."
        )


def migrate_config(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a resolved configuration with the current names of its classes and options.

    The prior of models with codes used to be called `StandardNormal`, although their codes were equally likely. The
    activation of an autoencoder's code used to be that of its network: tanh for an `MLP`, or else none.
    """
    migrated: dict[str, Any] = {}
    if config.get("_target_") in CODE_MODELS and "prior" in config:
        config = config | {"prior": {"_target_": "vae_lightning.priors.UniformCodes", "_partial_": True}}
    if config.get("_target_") == AUTOENCODER and "code_activation" not in config:
        network = config.get("network")
        is_mlp = isinstance(network, dict) and network.get("_target_") == "vae_lightning.networks.MLP"
        config = config | {"code_activation": "Tanh" if is_mlp else "Identity"}
    for name, value in config.items():
        key = RENAMED_OPTIONS.get(f"{prefix}{name}", f"{prefix}{name}")
        if isinstance(value, dict):
            value = migrate_config(value, f"{key}.")
        elif isinstance(value, str):
            value = RENAMED_TARGETS.get(value, RENAMED_VALUES.get((key, value), value))
        migrated[key.removeprefix(prefix) if isinstance(name, str) else name] = value
    return migrated


def override_key(override: str) -> str:
    """Return the option that an override sets: `+model.beta=4` -> `model.beta`."""
    return override.partition("=")[0].lstrip("+~")


def add_old_defaults(overrides: list[str], config: Mapping[str, Any]) -> list[str]:
    """Return the overrides of a run, preceded by defaults that have changed since it was started.

    `model=vq_vae` had a flat vector of 64 latents and the network `conv` before its latents formed a map, and codes of
    `model=ae` were bounded with an MLP.

    Args:
        overrides: with the current names of their options.
        config: the resolved configuration of the run.
    """
    model = config["model"]
    given = {override_key(override) for override in overrides}
    if "model=of_run" in overrides:
        return overrides
    defaults = {}
    if model.get("_target_") == "vae_lightning.models.VQVAE":
        is_flat = model.get("network", {}).get("_target_") == "vae_lightning.networks.Conv"
        defaults = {"model/network": "conv" if is_flat else None, "model.latent_dim": model.get("latent_dim")}
    if model.get("_target_") == AUTOENCODER and model.get("code_activation") == "Tanh":
        defaults = {"model.code_activation": "Tanh"}
    return [*(f"{key}={value}" for key, value in defaults.items() if value and key not in given), *overrides]


def migrate_override(override: str) -> str:
    """Return a Hydra override, such as `+data.val_fraction=0.1`, with the current name of its option."""
    key, equals, value = override.partition("=")
    name = override_key(override)
    renamed = RENAMED_OPTIONS.get(name, name)
    return f"{key[: len(key) - len(name)]}{renamed}{equals}{RENAMED_VALUES.get((renamed, value), value)}"
