"""The hyperparameters of a run, as TensorBoard's HParams tab shows them."""

from collections.abc import Iterable
from typing import Any

from vae_lightning.config.traversal import iter_leaves

NOT_SHOWN = ("data.root", "data.cache", "debug", "name", "resume", "run_dir", "sweep")


def hyperparameters(config: dict[str, Any], overridden: Iterable[str] = ()) -> dict[str, Any]:
    """Return the options that distinguish the runs of a sweep, flat: the model's, a few others and the overridden ones.

    A class is represented by its name, the last part of its `_target_`.

    Args:
        config: the resolved configuration.
        overridden: dotted keys of options that were set on the command line.
    """
    model, data = config["model"], config["data"]
    chosen = {
        **{name: value for name, value in model.items() if name not in ("_target_", "num_classes")},
        "model": {"_target_": model["_target_"]},
        "data": {"_target_": data["_target_"]},
        "batch_size": data["batch_size"],
        "warmup": (config.get("callbacks") or {}).get("warmup") or {},
        "max_epochs": config["trainer"]["max_epochs"],
        "seed": config["seed"],
    }
    flat: dict[str, Any] = {}
    for key, value in iter_leaves(chosen):
        group, _, name = key.rpartition(".")
        if name == "_target_":
            flat[group] = value.rpartition(".")[2]
        elif name != "image_shape" and not name.startswith("_"):
            flat[key] = loggable(value)
    options = dict(iter_leaves(config))
    for key in overridden:
        if key in options and key not in NOT_SHOWN and flat.keys().isdisjoint({key, key.partition(".")[2]}):
            flat[key] = loggable(options[key])
    return flat


def loggable(value: Any) -> bool | int | float | str:
    """Return a value as TensorBoard accepts it."""
    return value if isinstance(value, bool | int | float | str) else str(value)
