"""What a configuration may say, checked in milliseconds, before anything is imported or written."""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from vae_lightning.errors import UserError
from vae_lightning.rules import RULES, is_part
from vae_lightning.runs import CHECKPOINTS

# ${length:LIST}: how many there are, null for none
OmegaConf.register_new_resolver("length", lambda values: len(values) or None, replace=True)


def check(cfg: DictConfig) -> None:
    """Check every value that a rule knows by its name, and what no part alone can know.

    Raises:
        UserError: at the first value that is not what it must be.
    """
    typed: Any = OmegaConf.to_container(cfg)
    resolved: Any = OmegaConf.to_container(cfg, resolve=True)  # raises where an interpolation leads nowhere
    for key, value in nodes(typed):
        if value == "???":
            raise UserError(f"{key}: has no default; type {key}=...")
        if not (isinstance(value, str) and "${" in value):
            refuse(key, value)
    for key, value in nodes(resolved):  # after those above, so that what is told is what was typed
        refuse(key, value)
    for group in ("model", "data", "trainer"):
        if group not in resolved:
            raise UserError(f"{group}: there is none; type {group}=...")
    refuse_callbacks(resolved)
    if cfg.monitor.startswith("val/") and cfg.data.get("validate_on") == "test":
        raise UserError(
            f"monitor={cfg.monitor}: the best checkpoint would be chosen by the test images, data.validate_on=test;"
            " type monitor=train/objective"
        )
    if cfg.monitor.startswith("val/") and cfg.data.get("val_size") == 0:
        raise UserError(
            f"monitor={cfg.monitor}: data.val_size=0 leaves no validation set: type monitor=train/objective"
        )


def refuse_callbacks(config: dict[str, Any]) -> None:
    """Raise UserError for a callback or logger that is none, and for checkpoints that nothing would find."""
    for group in ("callbacks", "logger"):
        parts = config.get(group) or {}
        for name, part in parts.items() if isinstance(parts, dict) else [("", parts)]:
            if part is not None and not is_part(part):
                raise UserError(f"{group}.{name}={part}: must be null, or have a _target_")
    for name in ("best", "last"):
        part = (config.get("callbacks") or {}).get(name)
        if part and (part.get("dirpath"), part.get("filename")) != (f"{config['run_dir']}/{CHECKPOINTS}", name):
            raise UserError(
                f"callbacks.{name}: is looked for as {name}.ckpt in the run's {CHECKPOINTS}/; leave out"
                f" callbacks.{name}.dirpath and callbacks.{name}.filename"
            )


def refuse(key: str, value: Any) -> None:
    """Raise UserError for a value that is not what its name says."""
    group, _, name = key.rpartition(".")
    rule = None if group in ("callbacks", "logger") else RULES.get(name)  # the names there are anybody's
    if rule and not rule.holds(value):
        raise UserError(f"{key}={value}: must be {rule.wanted}")


def nodes(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of a nested mapping, with its dotted key, the inner mappings themselves among them."""
    for name, value in config.items():
        yield f"{prefix}{name}", value
        if isinstance(value, Mapping):
            yield from nodes(value, f"{prefix}{name}.")


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of a nested mapping, with its dotted key."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
