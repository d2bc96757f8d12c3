"""The hyper-parameters of a run, as TensorBoard's HParams tab shows them."""

from typing import Any

from vae_lightning.config.traversal import iter_leaves


def hyperparameters(config: dict[str, Any]) -> dict[str, Any]:
    """Return the options that distinguish the runs of a sweep, flat: the model's, and a few others.

    A class is represented by its name, the last part of its `_target_`.
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
            flat[key] = value if isinstance(value, bool | int | float | str) else str(value)
    return flat
