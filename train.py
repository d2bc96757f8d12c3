"""Train a variational autoencoder: `python train.py --help` shows what can be chosen."""

import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from vae_lightning import sweep
from vae_lightning.commandline import recall
from vae_lightning.configuration import check
from vae_lightning.mistakes import one_line_errors


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Train, test and sum up one run, or one job of a sweep, whose sweeper may want to know what it came to."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return sweep.job(cfg, run)
    with one_line_errors(cfg.debug):
        run(cfg)
    return None


def run(cfg: DictConfig) -> dict[str, float]:
    """Check the configuration, then do what it says; return the metrics."""
    check(cfg)
    from vae_lightning.train import train  # seconds of imports: a mistake in the configuration is told before

    return train(cfg)


if __name__ == "__main__":
    with one_line_errors("debug=true" in map(str.lower, sys.argv)):
        sys.argv[1:] = recall(sys.argv[1:])
        try:
            main()
        except KeyboardInterrupt:  # while a launcher waits for jobs in other processes; a run sees to it by itself
            print("interrupted; the same command goes on with the sweep", file=sys.stderr)
            sys.exit(130)
