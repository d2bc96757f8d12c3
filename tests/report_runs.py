"""Fixtures: run directories like those of training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch.utils.tensorboard import SummaryWriter

MODELS = {"vae": "vae_lightning.models.VAE", "beta_vae": "vae_lightning.models.BetaVAE"}


def write_run(
    run_dir: Path,
    metrics: dict[str, Any],
    model: str = "beta_vae",
    beta: float = 1,
    seed: int = 0,
    name: str | None = None,
    overrides: list[str] | None = None,
    data: str = "DigitsDataModule",
) -> Path:
    """Write a run directory without checkpoints and return it."""
    config = {
        "run_dir": str(run_dir),
        "name": name or f"{model}-digits",
        "seed": seed,
        "resume": None,
        "model": {"_target_": MODELS[model], "beta": beta, "latent_dim": 2},
        "data": {"_target_": f"vae_lightning.data.{data}", "seed": seed},
        "trainer": {"default_root_dir": str(run_dir)},
    }
    overrides = [f"model.beta={beta}", "data.root=a b"] if overrides is None else overrides
    (run_dir / ".hydra").mkdir(parents=True)
    (run_dir / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    (run_dir / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))
    (run_dir / "metrics.json").write_text(json.dumps({**metrics, "evaluation": {"notes": []}}))
    return run_dir


@pytest.fixture
def make_run() -> Callable[..., Path]:
    """Return a function that writes a run directory: make_run(run_dir, metrics, beta=4)."""
    return write_run


@pytest.fixture
def sweep(tmp_path) -> Path:
    """Return a sweep over β = 1 and 4 with seeds 0 and 1 and disentanglement, an interrupted and a failed run."""
    root = tmp_path / "sweep"
    for beta in (1, 4):
        for seed in (0, 1):
            metrics = {"test/rate": 10.0 / beta, "test/distortion": 80.0 + beta + seed, "test/nelbo": 95.0}
            mig = {"disentanglement/mig": 0.1 * beta, "disentanglement/mig_std": 0.01}
            run_dir = write_run(root / "deep" / f"{beta},{seed}", {**metrics, **mig}, beta=beta, seed=seed)
            with SummaryWriter(str(run_dir)) as writer:
                for images_seen in (100, 200):
                    writer.add_scalar("train/nelbo", 100 + seed - images_seen / 10, images_seen)
    write_run(root / "cut <off>", {"train/nelbo": 100.0}, beta=16)
    failed = write_run(root / "failed", {"test/nelbo": 1.0}, beta=64)
    (failed / "failure.txt").write_text("RuntimeError: no memory\n")
    return root
