"""What each value of the configuration must be, by its name."""

from collections.abc import Callable
from typing import Any, NamedTuple

LARGEST_FLOAT = 3.4e38  # of single precision
LARGEST_WHOLE = 2**53  # what a double still counts one by one
MOST_DEVICES = 1024  # of one machine
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "64-true")  # weights of 16 bits are too coarse for densities
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


class Rule(NamedTuple):
    """What a value must be."""

    holds: Callable[[Any], bool]
    wanted: str


def whole(low: int, high: int = LARGEST_WHOLE) -> Rule:
    """A whole number from `low` up; a limit is said where a person could meet it."""
    limit = f", at most {high:,}" * (high < LARGEST_WHOLE)
    return Rule(lambda v: type(v) is int and low <= v <= high, f"a whole number from {low} up{limit}")


def is_number(value: Any) -> bool:
    """Whether a value is a number that single precision holds, and a whole one exactly."""
    limit = {int: LARGEST_WHOLE, float: LARGEST_FLOAT}.get(type(value), -1)
    return limit > 0 and abs(value) <= limit  # never of NaN


def each(rule: Rule, at_least: int = 0) -> Rule:
    """A list of so many or more, each of which follows the rule."""
    wanted = f"a list{f' of {at_least} or more' * bool(at_least)}, each {rule.wanted}"
    return Rule(lambda v: isinstance(v, list) and len(v) >= at_least and all(map(rule.holds, v)), wanted)


def optional(rule: Rule) -> Rule:
    """Null, or a value that follows the rule."""
    return Rule(lambda v: v is None or rule.holds(v), f"null or {rule.wanted}")


def is_folder_name(value: Any) -> bool:
    """Whether a value can name one folder."""
    return isinstance(value, str) and value not in ("", ".", "..") and not {"/", "\0"} & {*value}


def is_part(value: Any) -> bool:
    """Whether a value says what to build, as each file of a group does."""
    return isinstance(value, dict) and "_target_" in value


def is_devices(value: Any) -> bool:
    """Whether a value is of a kind that Lightning takes for `devices`, and no number that would crowd the machine."""
    if isinstance(value, list):
        return all(type(v) is int and 0 <= v < MOST_DEVICES for v in value)
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    return isinstance(number, str) or number == -1 or whole(1, MOST_DEVICES).holds(number)


SEED = Rule(lambda v: type(v) is int and 0 <= v < 2**32, "a whole number from 0 to 4294967295")
FLAG = Rule(lambda v: type(v) is bool, "true or false")
NOT_NEGATIVE = Rule(lambda v: is_number(v) and v >= 0, "a number from 0 up")
SHARE = Rule(lambda v: is_number(v) and 0 <= v < 1, "a share from 0 to below 1")
POSITIVE = Rule(lambda v: is_number(v) and v > 0, "a number above 0")
TEXT = Rule(lambda v: isinstance(v, str) and v != "", "text")
TEXTS = each(TEXT)
FOLDER_NAME = Rule(is_folder_name, "the name of one folder")
PART = Rule(is_part, "a choice of its group, with a _target_")
COUNT = whole(1)
SIZE = whole(1, 1_000_000)  # of what takes memory when it is built: a slip of the keyboard must not take all of it
FEW = whole(1, 1_000)  # of what is built one by one

# One name means one thing wherever it stands in the configuration.
RULES = {
    "_target_": TEXT,
    "_partial_": FLAG,
    "seed": SEED,
    "name": FOLDER_NAME,
    "sweep": FOLDER_NAME,
    "resume": optional(TEXT),
    "compile": optional(Rule(lambda v: v in COMPILE_MODES, f"one of {', '.join(COMPILE_MODES)}")),
    "debug": FLAG,
    "run_dir": TEXT,
    "monitor": Rule(
        lambda v: isinstance(v, str) and v.startswith(("train/", "val/")), "a logged metric of train/ or val/"
    ),
    "model": PART,
    "data": PART,
    "trainer": PART,
    # model
    "network": PART,
    "likelihood": PART,
    "prior": PART,
    "optimizer": PART,
    "discriminator_optimizer": PART,
    "latent_dim": SIZE,
    "conditional": FLAG,
    "beta": NOT_NEGATIVE,
    "alpha": Rule(is_number, "a number"),
    "gamma": NOT_NEGATIVE,
    "capacity": NOT_NEGATIVE,
    "lambda_od": NOT_NEGATIVE,
    "lambda_d": NOT_NEGATIVE,
    "lambda_mmd": POSITIVE,
    "num_samples": SIZE,
    "num_components": SIZE,
    "num_groups": FEW,
    "num_codes": whole(2, 1_000_000),
    "code_dim": SIZE,
    "ema": FLAG,
    "decay": Rule(lambda v: POSITIVE.holds(v) and v < 1, "a number above 0, below 1"),
    "discriminator_dims": each(SIZE),
    "sigma": POSITIVE,
    "scale": POSITIVE,
    "init_std": optional(POSITIVE),
    "lr": POSITIVE,
    "betas": Rule(lambda v: each(SHARE).holds(v) and len(v) == 2, "a list of two, each a share from 0 to below 1"),
    "weight_decay": NOT_NEGATIVE,
    "fused": optional(FLAG),
    "hidden_dims": each(SIZE),
    "channels": each(SIZE, at_least=1),
    "kernels": each(COUNT, at_least=1),
    "activation": TEXT,
    "width": SIZE,
    "blocks": FEW,
    "batch_norm": FLAG,
    "attention": FLAG,
    # data
    "root": TEXT,
    "cache": optional(TEXT),
    "image_shape": Rule(lambda v: each(SIZE).holds(v) and len(v) == 3, "[channels, height, width]"),
    "num_classes": optional(SIZE),
    "attributes": TEXTS,
    "batch_size": COUNT,
    "eval_batch_size": COUNT,
    "val_size": whole(0),
    "test_size": COUNT,
    "factor_sizes": each(SIZE),
    "split_seed": SEED,
    "val_share": SHARE,
    "test_share": SHARE,
    "download": FLAG,
    "skip_corrupt": FLAG,
    "crop": Rule(
        lambda v: v in (None, "square") or COUNT.holds(v) or (each(whole(0)).holds(v) and len(v) == 4),
        "null, square, the side of a square in the centre, or [left, top, right, bottom]",
    ),
    # trainer and callbacks
    "precision": Rule(lambda v: v in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
    "devices": Rule(is_devices, "auto, or how many, or a list of their numbers"),
    "max_epochs": COUNT,
    "log_every_n_steps": COUNT,
    "num_sanity_val_steps": whole(-1),
    "enable_progress_bar": FLAG,
    "enable_model_summary": FLAG,
    "use_distributed_sampler": FLAG,
    "default_root_dir": TEXT,
    "enable_version_counter": FLAG,
    "save_on_train_epoch_end": FLAG,
    "every_n_train_steps": optional(COUNT),
    "every_n_epochs": COUNT,
    "folder": TEXT,
    "title": TEXT,
    "while_training": TEXTS,
    "at_end": TEXTS,
    "patience": COUNT,
    "num_images": COUNT,
    "min_rate": NOT_NEGATIVE,
    "refresh_rate": whole(0),
    "metrics_format": TEXT,
    "epochs": whole(0),
    "steps": optional(COUNT),
    "cycles": COUNT,
    "ramp": Rule(lambda v: POSITIVE.holds(v) and v <= 1, "a number above 0, at most 1"),
}
