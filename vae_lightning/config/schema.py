"""The rules that configuration values must satisfy, by the name of the option."""

from collections.abc import Callable
from typing import Any, NamedTuple

LARGEST_FLOAT = 3.4e38  # in single precision
LARGEST_INTEGER = 2**53  # up to which a double represents every integer
MAX_DEVICES = 1024  # of one machine
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "64-true")  # 16-bit weights are too coarse for densities
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")

FIGURE_FORMATS = ("png", "pdf", "svg")
FIGURE_STYLES = ("screen", "paper", "dark")
LOGGER_PACKAGES = {"WandbLogger": "wandb", "MLFlowLogger": "mlflow"}  # class -> module, which is also the extra

TOP_LEVEL_OPTIONS = (  # of conf/train.yaml
    "seed",
    "name",
    "prior_of",
    "init_from",
    "trust",
    "sweep",
    "monitor",
    "resume",
    "compile",
    "debug",
    "run_dir",
)

# Options of Lightning's Trainer that conf/trainer/ leaves at their defaults; they can be set without a `+`.
TRAINER_OPTIONS = (
    "accumulate_grad_batches",
    "barebones",
    "benchmark",
    "check_val_every_n_epoch",
    "detect_anomaly",
    "enable_autolog_hparams",
    "enable_checkpointing",
    "fast_dev_run",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "inference_mode",
    "limit_predict_batches",
    "limit_test_batches",
    "limit_train_batches",
    "limit_val_batches",
    "max_steps",
    "max_time",
    "min_epochs",
    "min_steps",
    "model_registry",
    "num_nodes",
    "overfit_batches",
    "plugins",
    "reload_dataloaders_every_n_epochs",
    "strategy",
    "sync_batchnorm",
    "val_check_interval",
)


class Rule(NamedTuple):
    """A condition on a value, and its description: "must be {description}"."""

    is_valid: Callable[[Any], bool]
    description: str


def integer(low: int, high: int = LARGEST_INTEGER) -> Rule:
    """Return a rule for integers from `low` to `high`."""
    bounds = f">= {low}" if high == LARGEST_INTEGER else f"from {low} to {high:,}"
    return Rule(lambda v: type(v) is int and low <= v <= high, f"an integer {bounds}")


def fits_float32(value: Any) -> bool:
    """Return whether a value is a number that single precision can hold, and if an integer, one that a double can."""
    limit = {int: LARGEST_INTEGER, float: LARGEST_FLOAT}.get(type(value), -1)
    return limit > 0 and abs(value) <= limit  # false for NaN


def list_of(rule: Rule, min_length: int = 0) -> Rule:
    """Return a rule for lists whose items all satisfy a rule."""
    length = f" of at least {min_length} value" * bool(min_length)
    return Rule(
        lambda v: isinstance(v, list) and len(v) >= min_length and all(map(rule.is_valid, v)),
        f"a list{length}, each {rule.description}",
    )


def optional(rule: Rule) -> Rule:
    """Return a rule that also accepts null."""
    return Rule(lambda v: v is None or rule.is_valid(v), f"null or {rule.description}")


def one_of(choices: tuple[str, ...]) -> Rule:
    """Return a rule for a value among a few."""
    return Rule(lambda v: v in choices, f"one of {', '.join(choices)}")


def is_folder_name(value: Any) -> bool:
    """Return whether a value can be the name of a single directory."""
    return isinstance(value, str) and value not in ("", ".", "..") and not {"/", "\0"} & {*value}


def is_component(value: Any) -> bool:
    """Return whether a value describes an object to build, like each file of a config group."""
    return isinstance(value, dict) and "_target_" in value


def is_box(value: Any) -> bool:
    """Return whether a value is a box [left, top, right, bottom] with an area."""
    return list_of(integer(0)).is_valid(value) and len(value) == 4 and value[0] < value[2] and value[1] < value[3]


def is_devices(value: Any) -> bool:
    """Return whether Lightning accepts a value for `devices`, and it is not more than a machine can have."""
    if isinstance(value, list):
        return all(type(v) is int and 0 <= v < MAX_DEVICES for v in value)
    number = int(value) if isinstance(value, str) and value.isdecimal() else value
    return isinstance(number, str) or number == -1 or integer(1, MAX_DEVICES).is_valid(number)


SEED = integer(0, 2**32 - 1)
FLAG = Rule(lambda v: type(v) is bool, "true or false")
NOT_NEGATIVE = Rule(lambda v: fits_float32(v) and v >= 0, "a number >= 0")
POSITIVE = Rule(lambda v: fits_float32(v) and v > 0, "a number > 0")
FRACTION = Rule(lambda v: fits_float32(v) and 0 <= v < 1, "a number >= 0 and < 1")
TEXT = Rule(lambda v: isinstance(v, str) and v != "", "text")
TEXTS = list_of(TEXT)
FOLDER_NAME = Rule(is_folder_name, "the name of a single directory")
COMPONENT = Rule(is_component, "a choice of its config group, with a _target_")
COUNT = integer(1)
BATCHES = Rule(
    lambda v: integer(0).is_valid(v) or (type(v) is float and 0 <= v <= 1),
    "a number of batches, or a fraction of all batches such as 0.1",
)
SIZE = integer(1, 1_000_000)  # of something allocated at once: a typo must not take all memory
FEW = integer(1, 1_000)  # of something built one at a time
ODD = Rule(lambda v: integer(3, 19).is_valid(v) and v % 2 == 1, "an odd integer from 3 to 19")  # sides of a window

# An option has the same meaning wherever it occurs in the configuration, except in classes of the user's own. These are
# the options of all models and data modules, including those.
SHARED_OPTIONS = {
    "model": (
        *("network", "likelihood", "prior", "posterior", "optimizer", "scheduler"),
        *("latent_dim", "conditional", "image_shape", "num_classes", "init_std"),
    ),
    "data": ("image_shape", "num_classes", "batch_size", "eval_batch_size", "seed", "flip", "labeled_per_class"),
}
FIELD_RULES = {
    "_target_": TEXT,
    "_partial_": FLAG,
    "seed": SEED,
    "name": FOLDER_NAME,
    "sweep": FOLDER_NAME,
    "resume": optional(TEXT),
    "prior_of": optional(TEXT),
    "init_from": optional(TEXT),
    "trust": Rule(lambda v: TEXT.is_valid(v) or TEXTS.is_valid(v), "a package, or a list of packages"),
    "compile": optional(one_of(COMPILE_MODES)),
    "debug": FLAG,
    "run_dir": TEXT,
    "monitor": Rule(
        lambda v: isinstance(v, str) and v.startswith(("train/", "val/")),
        "a logged metric that starts with train/ or val/",
    ),
    "model": COMPONENT,
    "data": COMPONENT,
    "trainer": COMPONENT,
    # model
    "network": COMPONENT,
    "autoencoder": COMPONENT,
    "likelihood": COMPONENT,
    "prior": COMPONENT,
    "posterior": COMPONENT,
    "optimizer": COMPONENT,
    "discriminator_optimizer": COMPONENT,
    "scheduler": COMPONENT,
    "latent_dim": SIZE,
    "upper_dims": list_of(SIZE),
    "conditional": FLAG,
    "beta": NOT_NEGATIVE,
    "alpha": Rule(fits_float32, "a number"),
    "gamma": NOT_NEGATIVE,
    "capacity": NOT_NEGATIVE,
    "initial_capacity": NOT_NEGATIVE,
    "discrete_capacity": NOT_NEGATIVE,
    "free_bits": NOT_NEGATIVE,
    "group_size": SIZE,
    "tolerance": Rule(fits_float32, "a number"),
    "step_size": POSITIVE,
    "lambda_od": NOT_NEGATIVE,
    "lambda_d": NOT_NEGATIVE,
    "lambda_mmd": POSITIVE,
    "bandwidth": optional(POSITIVE),
    "bandwidth_factors": list_of(POSITIVE, min_length=1),
    "lambda_adv": NOT_NEGATIVE,
    "lambda_decoder": NOT_NEGATIVE,
    "lambda_sw": NOT_NEGATIVE,
    "num_projections": SIZE,
    "power": Rule(lambda v: fits_float32(v) and v >= 1, "a number >= 1"),
    "lambda_gd": NOT_NEGATIVE,
    "lambda_gc": NOT_NEGATIVE,
    "perceptual_weight": NOT_NEGATIVE,
    "pixel_weight": NOT_NEGATIVE,
    "classification_weight": NOT_NEGATIVE,
    "triplet_weight": NOT_NEGATIVE,
    "supervision_weight": NOT_NEGATIVE,
    "num_labeled": SIZE,
    "changed_latents": optional(SIZE),
    "margin": NOT_NEGATIVE,
    "discriminator_weight": NOT_NEGATIVE,
    "discriminator_start": NOT_NEGATIVE,
    "num_samples": SIZE,
    "num_bounds": SIZE,
    "elbo_weight": Rule(lambda v: fits_float32(v) and 0 <= v <= 1, "a number from 0 to 1"),
    "num_components": SIZE,
    "pretrain_epochs": integer(0),
    "num_groups": FEW,
    "groups": list_of(integer(0, 1_000), min_length=1),
    "bottleneck": FEW,
    "residual_posterior": FLAG,
    "transforms": FEW,
    "curvature": POSITIVE,
    "concentration": Rule(lambda v: fits_float32(v) and 0.1 <= v <= 1e4, "a number from 0.1 to 10,000"),
    "rate": POSITIVE,
    "leapfrog_steps": FEW,
    "leapfrog_step_size": POSITIVE,
    "inverse_temperature": POSITIVE,
    "num_centroids": SIZE,
    "metric_temperature": POSITIVE,
    "metric_regularization": POSITIVE,
    "fixed_point_iterations": FEW,
    "categories": list_of(integer(2, 1_000_000), min_length=1),
    "layers": FEW,
    "heads": FEW,
    "integration_steps": COUNT,
    "drop_condition": FRACTION,
    "guidance": NOT_NEGATIVE,
    "codebook_size": integer(2, 1_000_000),
    "code_dim": SIZE,
    "depth": FEW,
    "shared_codebook": FLAG,
    "from_images": FLAG,
    "entropy_weight": NOT_NEGATIVE,
    "temperature": POSITIVE,
    "levels": list_of(integer(2, 1_000), min_length=1),
    "ema": FLAG,
    "decay": Rule(lambda v: POSITIVE.is_valid(v) and v < 1, "a number > 0 and < 1"),
    "discriminator_dims": list_of(SIZE),
    "discriminator_channels": list_of(SIZE, min_length=1),
    "sigma": POSITIVE,
    "scale": POSITIVE,
    "sharpness": POSITIVE,
    "ssim_weight": POSITIVE,
    "window_size": ODD,
    "init_std": optional(POSITIVE),
    "lr": POSITIVE,
    "betas": Rule(lambda v: list_of(FRACTION).is_valid(v) and len(v) == 2, "a list of two numbers, each >= 0 and < 1"),
    "T_max": COUNT,
    "eta_min": NOT_NEGATIVE,
    "milestones": list_of(COUNT),
    "weight_decay": NOT_NEGATIVE,
    "eps": POSITIVE,
    "fused": optional(FLAG),
    "hidden_dims": list_of(SIZE),
    "channels": list_of(SIZE, min_length=1),
    "kernels": list_of(COUNT, min_length=1),
    "kernel_size": ODD,
    "context_channels": SIZE,
    "pixels": COMPONENT,
    "activation": TEXT,
    "code_activation": TEXT,
    "width": SIZE,
    "blocks": FEW,
    "batch_norm": FLAG,
    "attention": FLAG,
    # data
    "root": TEXT,
    "cache": optional(TEXT),
    "image_shape": Rule(
        lambda v: v is None or (list_of(SIZE).is_valid(v) and len(v) == 3),  # null only for data=arrays
        "[channels, height, width]",
    ),
    "num_classes": optional(SIZE),
    "attributes": TEXTS,
    "batch_size": COUNT,
    "eval_batch_size": COUNT,
    "val_size": integer(0),
    "test_size": COUNT,
    "factor_sizes": list_of(SIZE),
    "split_seed": SEED,
    "flip": FLAG,
    "labeled_per_class": optional(COUNT),
    "pairs": Rule(lambda v: v in (None, "random") or COUNT.is_valid(v), "null, random or an integer >= 1"),
    "val_fraction": FRACTION,
    "test_fraction": FRACTION,
    "download": FLAG,
    "skip_corrupt": FLAG,
    "crop": Rule(
        lambda v: v in (None, "square") or COUNT.is_valid(v) or is_box(v),
        "null, square, the side of a centered square, or [left, top, right, bottom] with left < right and top < bottom",
    ),
    # trainer and callbacks
    "precision": one_of(PRECISIONS),
    "devices": Rule(is_devices, "auto, a number of devices, or a list of their indices"),
    "max_epochs": COUNT,
    "min_epochs": optional(COUNT),
    "max_steps": integer(-1),
    "min_steps": optional(COUNT),
    "limit_train_batches": optional(BATCHES),
    "limit_val_batches": optional(BATCHES),
    "limit_test_batches": Rule(  # the test marks a run as finished
        lambda v: v is None or (BATCHES.is_valid(v) and v > 0), "null, a number of batches, or a fraction of all, > 0"
    ),
    "overfit_batches": BATCHES,
    "check_val_every_n_epoch": optional(COUNT),
    "accumulate_grad_batches": COUNT,
    "gradient_clip_val": optional(NOT_NEGATIVE),
    "num_nodes": COUNT,
    "detect_anomaly": FLAG,
    "inference_mode": FLAG,
    "sync_batchnorm": FLAG,
    "enable_checkpointing": optional(FLAG),
    "log_every_n_steps": COUNT,
    "num_sanity_val_steps": integer(-1),
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
    "periodic": TEXTS,
    "final": TEXTS,
    "save_dir": TEXT,
    "project": TEXT,
    "offline": FLAG,
    "quiet": FLAG,
    "experiment_name": TEXT,
    "run_name": TEXT,
    "tracking_uri": TEXT,
    "format": one_of(FIGURE_FORMATS),
    "style": one_of(FIGURE_STYLES),
    "patience": COUNT,
    "num_images": COUNT,
    "min_rate": NOT_NEGATIVE,
    "max_norm": POSITIVE,
    "refresh_rate": integer(0),
    "display": one_of(("auto", "rich", "plain")),
    "epochs": integer(0),
    "steps": optional(COUNT),
    "cycles": COUNT,
    "ramp": Rule(lambda v: POSITIVE.is_valid(v) and v <= 1, "a number > 0 and <= 1"),
}
