"""Composing the configuration of a run outside of Hydra's own entry point."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict, read_write

from vae_lightning.config.paths import CONF_DIR
from vae_lightning.runs.layout import create_unique_dir


@contextmanager
def composed(overrides: list[str]) -> Iterator[DictConfig]:
    """Compose the configuration of one run; inside the block, `${hydra:...}` in it can be resolved.

    Hydra must have been initialized, so that `--config-dir` of a sweep counts. Otherwise use `composed_alone`. The run
    directory is created, unless the overrides set `run_dir`.
    """
    previous = HydraConfig.instance().cfg
    cfg = compose("train", overrides, return_hydra_config=True)
    try:
        HydraConfig.instance().set_config(cfg)
        if not any(override.startswith("run_dir=") for override in overrides):
            create_unique_dir.cache_clear()  # a run of its own, also in the same second as the last one
            with read_write(cfg.hydra), open_dict(cfg.hydra):
                cfg.hydra.runtime.output_dir = str(Path(cfg.hydra.run.dir).absolute())
            HydraConfig.instance().set_config(cfg)
        with open_dict(cfg):
            del cfg["hydra"]
        yield cfg
    finally:
        HydraConfig.instance().cfg = previous


@contextmanager
def composed_alone(overrides: list[str]) -> Iterator[DictConfig]:
    """Do the same as `composed` where Hydra has not been initialized, as in Python and other commands."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"), composed(overrides) as cfg:
        yield cfg
