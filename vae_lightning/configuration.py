"""What a configuration may say, checked in milliseconds, before anything is imported or written."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from vae_lightning.errors import UserError

# ${length:LIST}: how many there are, null for none
OmegaConf.register_new_resolver("length", lambda values: len(values) or None, replace=True)


class Rule(NamedTuple):
    """What a value must be."""

    holds: Callable[[Any], bool]
    wanted: str


def whole(low: int) -> Rule:
    """A whole number from `low` up."""
    return Rule(lambda v: type(v) is int and v >= low, f"a whole number from {low} up")


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    return type(value) in (int, float) and math.isfinite(value)


def each(rule: Rule, at_least: int = 0) -> Rule:
    """A list of so many or more, each of which follows the rule."""
    wanted = f"a list{f' of {at_least} or more' * bool(at_least)}, each {rule.wanted}"
    return Rule(lambda v: isinstance(v, list) and len(v) >= at_least and all(map(rule.holds, v)), wanted)


def optional(rule: Rule) -> Rule:
    """Null, or a value that follows the rule."""
    return Rule(lambda v: v is None or rule.holds(v), f"null or {rule.wanted}")


SEED = Rule(lambda v: type(v) is int and 0 <= v < 2**32, "a whole number from 0 to 4294967295")
FLAG = Rule(lambda v: type(v) is bool, "true or false")
NOT_NEGATIVE = Rule(lambda v: is_number(v) and v >= 0, "a number from 0 up")
SHARE = Rule(lambda v: is_number(v) and 0 <= v < 1, "a share from 0 to below 1")
POSITIVE = Rule(lambda v: is_number(v) and v > 0, "a number above 0")

# One name means one thing wherever it stands in the configuration.
RULES = {
    "seed": SEED,
    "debug": FLAG,
    "monitor": Rule(
        lambda v: isinstance(v, str) and v.startswith(("train/", "val/")), "a logged metric of train/ or val/"
    ),
    # model
    "latent_dim": whole(1),
    "conditional": FLAG,
    "beta": NOT_NEGATIVE,
    "alpha": Rule(is_number, "a number"),
    "gamma": NOT_NEGATIVE,
    "capacity": NOT_NEGATIVE,
    "lambda_od": NOT_NEGATIVE,
    "lambda_d": NOT_NEGATIVE,
    "lambda_mmd": POSITIVE,
    "num_samples": whole(1),
    "num_components": whole(1),
    "num_groups": whole(1),
    "num_codes": whole(2),
    "code_dim": whole(1),
    "ema": FLAG,
    "decay": Rule(lambda v: POSITIVE.holds(v) and v < 1, "a number above 0, below 1"),
    "discriminator_dims": each(whole(1)),
    "sigma": POSITIVE,
    "scale": POSITIVE,
    "init_std": optional(POSITIVE),
    "lr": POSITIVE,
    "weight_decay": NOT_NEGATIVE,
    "hidden_dims": each(whole(1)),
    "channels": each(whole(1), at_least=1),
    "kernels": each(whole(1), at_least=1),
    "width": whole(1),
    "blocks": whole(1),
    "batch_norm": FLAG,
    "attention": FLAG,
    # data
    "image_shape": Rule(lambda v: each(whole(1)).holds(v) and len(v) == 3, "[channels, height, width]"),
    "num_classes": optional(whole(1)),
    "batch_size": whole(1),
    "eval_batch_size": whole(1),
    "val_size": whole(0),
    "test_size": whole(1),
    "factor_sizes": each(whole(1)),
    "split_seed": SEED,
    "val_share": SHARE,
    "test_share": SHARE,
    "download": FLAG,
    "skip_corrupt": FLAG,
    "crop": Rule(
        lambda v: v in (None, "square") or whole(1).holds(v) or (each(whole(0)).holds(v) and len(v) == 4),
        "null, square, the side of a square in the centre, or [left, top, right, bottom]",
    ),
    # trainer and callbacks
    "max_epochs": whole(1),
    "log_every_n_steps": whole(1),
    "every_n_epochs": whole(1),
    "patience": whole(1),
    "num_images": whole(1),
    "min_rate": NOT_NEGATIVE,
    "every_n_train_steps": optional(whole(1)),
    "epochs": whole(0),
    "steps": optional(whole(1)),
    "cycles": whole(1),
    "ramp": Rule(lambda v: POSITIVE.holds(v) and v <= 1, "a number above 0, at most 1"),
}


def check(cfg: DictConfig) -> None:
    """Check every value that a rule knows by its name, and what no part alone can know.

    Raises:
        UserError: at the first value that is not what it must be.
    """
    OmegaConf.to_container(cfg, resolve=True)  # raises where an interpolation leads nowhere
    for key, value in leaves(OmegaConf.to_container(cfg)):
        if value == "???":
            raise UserError(f"{key}: has no default; type {key}=...")
        rule = RULES.get(key.rpartition(".")[2])
        interpolated = isinstance(value, str) and "${" in value  # checked where the value itself stands
        if rule and not interpolated and not rule.holds(value):
            raise UserError(f"{key}={value}: must be {rule.wanted}")
    if cfg.monitor.startswith("val/") and cfg.data.get("validate_on") == "test":
        raise UserError(
            f"monitor={cfg.monitor}: the best checkpoint would be chosen by the test images, data.validate_on=test;"
            " type monitor=train/objective"
        )
    if cfg.monitor.startswith("val/") and cfg.data.get("val_size") == 0:
        raise UserError(
            f"monitor={cfg.monitor}: data.val_size=0 leaves no validation set: type monitor=train/objective"
        )


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of a nested mapping, with its dotted key."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
