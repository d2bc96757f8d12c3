"""What a run leaves in its folder besides checkpoints, curves and figures."""

import json
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from vae_lightning.configuration import leaves
from vae_lightning.runs import CONFIG, FAILURE, METRICS, OVERRIDES, saved_metrics
from vae_lightning.whole_files import write_whole


@rank_zero_only
def save_configuration(config: dict[str, Any], run_dir: Path) -> None:
    """Write `.hydra/config.yaml`, resolved, and `.hydra/overrides.yaml`, what was typed, which `resume=` reads.

    With it a run begins, or goes on: it is neither finished nor failed any more, and what tells so is taken away.
    """
    (run_dir / CONFIG).parent.mkdir(parents=True, exist_ok=True)
    if HydraConfig.initialized():
        write_whole(OmegaConf.to_yaml(HydraConfig.get().overrides.task), run_dir / OVERRIDES)
    write_whole(OmegaConf.to_yaml(OmegaConf.create(config)), run_dir / CONFIG)
    (run_dir / FAILURE).unlink(missing_ok=True)
    if metrics := saved_metrics(run_dir):
        save_metrics({name: value for name, value in metrics.items() if not name.startswith("test/")}, run_dir)


@rank_zero_only
def save_metrics(metrics: dict[str, float], run_dir: Path) -> None:
    """Write `metrics.json`."""
    write_whole(json.dumps(metrics, indent=2) + "\n", run_dir / METRICS)


def hyperparameters(config: dict[str, Any]) -> dict[str, Any]:
    """What tells one run of a sweep from another: the model's options and the few others that matter, flat.

    A class is named by the last part of its `_target_`.
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
    for key, value in leaves(chosen):
        group, _, name = key.rpartition(".")
        if name == "_target_":
            flat[group] = value.rpartition(".")[2]
        elif name != "image_shape" and not name.startswith("_"):
            flat[key] = value if isinstance(value, bool | int | float | str) else str(value)
    return flat
