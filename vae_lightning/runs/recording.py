"""Writing the files of a run directory besides checkpoints, curves and figures."""

import json
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import OmegaConf

from vae_lightning.io.atomic import atomic_write
from vae_lightning.runs.artifacts import read_metrics
from vae_lightning.runs.layout import CHANGES, CONFIG, FAILURE, METRICS, OVERRIDES


@rank_zero_only
def save_configuration(config: dict[str, Any], run_dir: Path, *, trains: bool = False) -> None:
    """Write `.hydra/config.yaml`, resolved, and `.hydra/overrides.yaml`, which `resume=` reads.

    A run that starts or resumes is neither finished nor failed, so the files that say so are updated as well.

    Args:
        config: the resolved configuration.
        run_dir: the run directory.
        trains: whether the weights are about to change, so that results of an earlier evaluation no longer hold.
    """
    (run_dir / CONFIG).parent.mkdir(parents=True, exist_ok=True)
    if HydraConfig.initialized():
        atomic_write(OmegaConf.to_yaml(HydraConfig.get().overrides.task), run_dir / OVERRIDES)
    atomic_write(OmegaConf.to_yaml(OmegaConf.create(config)), run_dir / CONFIG)
    (run_dir / FAILURE).unlink(missing_ok=True)
    if metrics := read_metrics(run_dir):
        kept = {
            name: value
            for name, value in metrics.items()
            if name.startswith(("train/", "val/")) or not (trains or name.startswith("test/"))
        }
        save_metrics(kept, run_dir)


@rank_zero_only
def record_changes(changes: dict[str, tuple[Any, Any]], epoch: int, run_dir: Path) -> None:
    """Append a line to `.hydra/changes.jsonl`: the epochs trained so far, and the old and new value of each option."""
    with (run_dir / CHANGES).open("a") as file:
        file.write(json.dumps({"epoch": epoch, **changes}) + "\n")


@rank_zero_only
def save_metrics(metrics: dict[str, float], run_dir: Path) -> None:
    """Write `metrics.json`."""
    atomic_write(json.dumps(metrics, indent=2) + "\n", run_dir / METRICS)
