"""What a run leaves in its folder besides checkpoints, curves and figures."""

import json
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from vae_lightning.configuration import leaves
from vae_lightning.runs import CONFIG, METRICS, OVERRIDES


@rank_zero_only
def save_configuration(config: dict[str, Any], run_dir: Path) -> None:
    """Write `.hydra/config.yaml`, resolved, and `.hydra/overrides.yaml`, what was typed, which `resume=` reads."""
    (run_dir / CONFIG).parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create(config), run_dir / CONFIG)
    if HydraConfig.initialized():
        OmegaConf.save(HydraConfig.get().overrides.task, run_dir / OVERRIDES)


@rank_zero_only
def save_metrics(metrics: dict[str, float], run_dir: Path) -> None:
    """Write `metrics.json`."""
    (run_dir / METRICS).write_text(json.dumps(metrics, indent=2) + "\n")


def saved_metrics(run_dir: Path) -> dict[str, float]:
    """What `metrics.json` holds, if it is there: a finished run that is resumed trains no epoch to log it anew."""
    path = run_dir / METRICS
    return json.loads(path.read_text()) if path.is_file() else {}


def hyperparameters(config: dict[str, Any]) -> dict[str, Any]:
    """What tells one run of a sweep from another: the seed, and each value of model, data, warm-up and trainer.

    Classes are named by the last part of their `_target_`.
    """
    chosen = {key: config[key] for key in ("name", "seed", "model", "data")}
    chosen["warmup"] = (config["callbacks"] or {}).get("warmup", {})
    chosen["trainer"] = {key: config["trainer"][key] for key in ("max_epochs", "precision")}
    flat: dict[str, Any] = {}
    for key, value in leaves(chosen):
        *parents, name = key.split(".")
        if name == "_target_":
            flat[".".join(parents)] = value.rpartition(".")[2]
        elif not name.startswith("_"):
            flat[key] = value if isinstance(value, bool | int | float | str) else str(value)
    return flat
