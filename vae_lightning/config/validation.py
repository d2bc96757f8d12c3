"""Validating a configuration in milliseconds, before torch is imported or anything is written."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from vae_lightning.config.error_reporting import suggest_option
from vae_lightning.config.packages import is_own
from vae_lightning.config.schema import (
    COMPONENT,
    FIELD_RULES,
    LOGGER_PACKAGES,
    SHARED_OPTIONS,
    TOP_LEVEL_OPTIONS,
    Rule,
    is_component,
)
from vae_lightning.config.traversal import iter_nodes
from vae_lightning.errors import UserError
from vae_lightning.runs.format import override_key
from vae_lightning.runs.layout import CHECKPOINTS

# ${length:LIST}: the length of a list, null if it is empty
OmegaConf.register_new_resolver("length", lambda values: len(values) or None, replace=True)


def validate_config(cfg: DictConfig) -> None:
    """Validate every value that has a rule, and the combinations that no component can check by itself.

    Raises:
        UserError: for the first invalid value.
    """
    validate_additions(cfg)
    validate_choices(cfg)
    config: Any = OmegaConf.to_container(cfg)
    resolved: Any = OmegaConf.to_container(cfg, resolve=True)  # raises if an interpolation leads nowhere
    for key, value in iter_nodes(config):
        if value == "???":
            raise UserError(f"{key}: has no default. Set {key}=...")
        if not (isinstance(value, str) and "${" in value):
            validate_value(key, value, resolved)
    for key, value in iter_nodes(resolved):  # after those above, so that the message names the option that was set
        validate_value(key, value, resolved)
    for group in ("model", "data", "trainer"):
        if group not in resolved:
            raise UserError(f"{group}: is missing. Set {group}=...")
    if "max_epochs" not in resolved["trainer"]:
        raise UserError("trainer.max_epochs: is missing. Set a number beyond trainer.max_steps if that is the limit.")
    validate_callbacks(resolved)
    validate_optimization(resolved)
    if cfg.monitor.startswith("val/") and cfg.data.get("validation_split") == "test":
        raise UserError(
            f"monitor={cfg.monitor}: would choose the best checkpoint by the test images, since"
            " data.validation_split=test. Set monitor=train/objective."
        )
    if cfg.monitor.startswith("val/") and cfg.data.get("val_size") == 0:
        raise UserError(
            f"monitor={cfg.monitor}: there is no validation set, since data.val_size=0. Set monitor=train/objective."
        )


def validate_additions(cfg: DictConfig) -> None:
    """Check that no option without effect was added with `+`, such as `+latent_dim=3` instead of `model.latent_dim=3`.

    Raises:
        UserError: if one was.
    """
    overrides = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    for override in overrides:
        key = override_key(override)
        is_added = override.startswith("+") and key in cfg and not OmegaConf.is_config(cfg[key])
        if is_added and key not in TOP_LEVEL_OPTIONS:
            raise UserError(f"{key}: no such option. {suggest_option(key, list(overrides))}")


def validate_choices(cfg: DictConfig) -> None:
    """Check that no part that was chosen, such as by `model/prior=vamp`, is replaced in the file of the model.

    Raises:
        UserError: if one is.
    """
    hydra = HydraConfig.get() if HydraConfig.initialized() else None
    if hydra is None or cfg.get("prior_of") or cfg.get("init_from"):  # these take the parts from another run
        return
    folders = [Path(source.path) for source in hydra.runtime.config_sources if source.schema == "file"]
    keys = {override_key(override) for override in hydra.overrides.task}
    for group in keys & {key for key in hydra.runtime.choices if key.startswith("model/")}:
        choice, key = hydra.runtime.choices[group], group.replace("/", ".")
        files = (folder / group / f"{choice}.yaml" for folder in folders)
        chosen = next((OmegaConf.select(OmegaConf.load(file), "_target_") for file in files if file.is_file()), None)
        if chosen and f"{key}._target_" not in keys and OmegaConf.select(cfg, f"{key}._target_") != chosen:
            model = hydra.runtime.choices["model"]
            raise UserError(
                f"{group}={choice}: has no effect, since model={model} sets {key} in its file. There, name it in the"
                f" defaults instead: override {group.partition('/')[2]}: NAME."
            )


def validate_callbacks(config: dict[str, Any]) -> None:
    """Check that each callback and logger can be built, and that checkpoints have the names that resuming looks for.

    Raises:
        UserError: if not.
    """
    for group in ("callbacks", "logger"):
        components = config.get(group) or {}
        for name, component in components.items() if isinstance(components, dict) else [("", components)]:
            if component is not None and not is_component(component):
                raise UserError(f"{group}.{name}={component}: must be null or have a _target_.")
    for name, component in (config.get("logger") or {}).items():
        package = LOGGER_PACKAGES.get(component["_target_"].rpartition(".")[2]) if component else None
        if package and not is_installed(package):
            raise UserError(f"logger={name}: {package} is not installed. Run pip install 'vae-lightning[{package}]'.")
    for name in ("best", "last"):
        component = (config.get("callbacks") or {}).get(name)
        expected = f"{config['run_dir']}/{CHECKPOINTS}", name
        if component and (component.get("dirpath"), component.get("filename")) != expected:
            raise UserError(
                f"callbacks.{name}: must be saved as {name}.ckpt in {CHECKPOINTS}/ of the run directory. Leave out"
                f" callbacks.{name}.dirpath and callbacks.{name}.filename."
            )


def is_installed(package: str) -> bool:
    """Return whether a package can be imported, and is not just a directory of that name, such as W&B's `wandb/`."""
    spec = find_spec(package)
    return spec is not None and spec.origin is not None


def validate_optimization(config: dict[str, Any]) -> None:
    """Check that nothing is requested that Lightning cannot do for a model with two optimizers.

    Raises:
        UserError: for gradient accumulation, gradient clipping or weight averaging.
    """
    if "discriminator_optimizer" not in config["model"]:
        return
    name = config["model"]["_target_"].rpartition(".")[2]
    trainer, callbacks = config["trainer"], config.get("callbacks") or {}
    if trainer.get("accumulate_grad_batches", 1) != 1:
        raise UserError(
            f"trainer.accumulate_grad_batches={trainer['accumulate_grad_batches']}: not available for {name}, which has"
            " two optimizers. Leave it out and set a larger data.batch_size."
        )
    if trainer.get("gradient_clip_val"):
        raise UserError(
            f"trainer.gradient_clip_val={trainer['gradient_clip_val']}: not available for {name}, which has two"
            " optimizers. Leave it out; a smaller model.optimizer.lr has a similar effect."
        )
    for key, callback in callbacks.items():
        if callback and callback["_target_"].endswith(".StochasticWeightAveraging"):
            raise UserError(f"callbacks.{key}: weight averaging is not available for {name}, which has two optimizers.")


def validate_value(key: str, value: Any, config: dict[str, Any]) -> None:
    """Check a value of a configuration against its rule.

    Raises:
        UserError: if it is invalid.
    """
    rule = rule_of(key, config)
    if rule and not rule.is_valid(value):
        shown = json.dumps(value) if value is None or isinstance(value, bool) else value  # null, true or false
        fix = f" Use {key.replace('.', '/')}={shown}." if rule is COMPONENT and type(value) is str else ""
        raise UserError(f"{key}={shown}: must be {rule.description}.{fix}")


def rule_of(key: str, config: dict[str, Any]) -> Rule | None:
    """Return the rule for an option by its name; None if it is the user who chooses the name.

    These are the names of callbacks and loggers, and the options of classes of the user's own, to which a name may mean
    something else, except `SHARED_OPTIONS`.
    """
    group, _, name = key.rpartition(".")
    is_known = name.startswith("_") or name in SHARED_OPTIONS.get(group, ()) or not is_own(class_of(key, config))
    return FIELD_RULES.get(name) if is_known and group not in ("callbacks", "logger") else None


def class_of(key: str, config: dict[str, Any]) -> Any:
    """Return the `_target_` of the innermost component that an option belongs to, or None."""
    target, node = None, config
    for name in key.split(".")[:-1]:
        node = node[name]
        target = node.get("_target_", target)
    return target
