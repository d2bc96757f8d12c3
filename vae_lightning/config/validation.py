"""Validating a configuration in milliseconds, before torch is imported or anything is written."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from vae_lightning.config.schema import FIELD_RULES, is_component
from vae_lightning.config.traversal import iter_nodes
from vae_lightning.errors import UserError
from vae_lightning.runs.layout import CHECKPOINTS

# ${length:LIST}: the length of a list, null if it is empty
OmegaConf.register_new_resolver("length", lambda values: len(values) or None, replace=True)


def validate_config(cfg: DictConfig) -> None:
    """Validate every value that has a rule, and the combinations that no component can check by itself.

    Raises:
        UserError: for the first invalid value.
    """
    config: Any = OmegaConf.to_container(cfg)
    resolved: Any = OmegaConf.to_container(cfg, resolve=True)  # raises if an interpolation leads nowhere
    for key, value in iter_nodes(config):
        if value == "???":
            raise UserError(f"{key}: has no default. Set {key}=...")
        if not (isinstance(value, str) and "${" in value):
            validate_value(key, value)
    for key, value in iter_nodes(resolved):  # after those above, so that the message names the option that was set
        validate_value(key, value)
    for group in ("model", "data", "trainer"):
        if group not in resolved:
            raise UserError(f"{group}: is missing. Set {group}=...")
    validate_callbacks(resolved)
    if cfg.monitor.startswith("val/") and cfg.data.get("validation_split") == "test":
        raise UserError(
            f"monitor={cfg.monitor}: would choose the best checkpoint by the test images, since"
            " data.validation_split=test. Set monitor=train/objective."
        )
    if cfg.monitor.startswith("val/") and cfg.data.get("val_size") == 0:
        raise UserError(
            f"monitor={cfg.monitor}: there is no validation set, since data.val_size=0. Set monitor=train/objective."
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
    for name in ("best", "last"):
        component = (config.get("callbacks") or {}).get(name)
        expected = f"{config['run_dir']}/{CHECKPOINTS}", name
        if component and (component.get("dirpath"), component.get("filename")) != expected:
            raise UserError(
                f"callbacks.{name}: must be saved as {name}.ckpt in {CHECKPOINTS}/ of the run directory. Leave out"
                f" callbacks.{name}.dirpath and callbacks.{name}.filename."
            )


def validate_value(key: str, value: Any) -> None:
    """Check a value against the rule for its name.

    Raises:
        UserError: if it is invalid.
    """
    group, _, name = key.rpartition(".")
    rule = None if group in ("callbacks", "logger") else FIELD_RULES.get(name)  # users choose the names there
    if rule and not rule.is_valid(value):
        raise UserError(f"{key}={value}: must be {rule.description}.")
