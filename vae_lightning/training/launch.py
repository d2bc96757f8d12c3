"""Training from Python: what `vae-lightning train` does, in this process."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vae_lightning.checkpointing.loading import load_model
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.config.composition import composed_alone
from vae_lightning.config.error_reporting import format_error, is_user_facing, remove_empty_dirs
from vae_lightning.config.inheritance import inherit_run
from vae_lightning.config.overrides import expand_resume, expand_sources, normalize
from vae_lightning.config.traversal import iter_leaves
from vae_lightning.config.validation import validate_config
from vae_lightning.data import ImageDataModule
from vae_lightning.errors import UserError
from vae_lightning.models import ELBOModule
from vae_lightning.rng import preserved_rng
from vae_lightning.runs.artifacts import read_config
from vae_lightning.training import train as training


@dataclass(frozen=True)
class Run:
    """A finished training run.

    Attributes:
        run_dir: the run directory, with checkpoints, figures and TensorBoard events.
        metrics: the metrics in `metrics.json`, in nats per image.
    """

    run_dir: Path
    metrics: dict[str, float]

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, as plain containers."""
        return read_config(self.run_dir)

    @cached_property
    def model(self) -> ELBOModule:
        """The model of the best checkpoint, in eval mode, frozen, on the CPU."""
        return load_model(self.run_dir, trust=self.packages)

    @cached_property
    def data(self) -> ImageDataModule:
        """The data module, whose `splits` hold the images of `train`, `val` and `test`, (N, C, H, W)."""
        return load_run(self.run_dir, trust=self.packages).data

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages of the classes in the configuration, which this process has just used."""
        targets = [value for key, value in iter_leaves(self.config) if key.endswith("_target_")]
        return tuple({target.partition(".")[0] for target in targets})


def train(overrides: Sequence[str] = ()) -> Run:
    """Train and test a model in this process, as `vae-lightning train` does. Also available as `vae_lightning.train`.

    The random number generators of the process are as before afterwards, whatever the seed of the run.

    >>> run = vae_lightning.train(["model=cvae", "data=digits", "trainer.max_epochs=5"])  # doctest: +SKIP
    >>> run.model.sample(10, y=torch.arange(10)).shape  # doctest: +SKIP
    torch.Size([10, 1, 28, 28])

    Args:
        overrides: as on the command line; `resume=` works too, sweeps (`-m`) do not.

    Raises:
        UserError: if the configuration, the data or a checkpoint cannot be used, or training diverges.
        KeyboardInterrupt: after Ctrl-C, once a checkpoint has been written.
    """
    if isinstance(overrides, str):
        raise UserError(f"overrides={overrides}: must be a list of strings. Pass [{overrides!r}].")
    overrides = list(overrides)
    if flags := [argument for argument in overrides if argument.startswith("-")]:
        raise UserError(f"{flags[0]}: only overrides are allowed here. Run sweeps with vae-lightning train -m ...")
    run_dir: Path | None = None
    try:
        with (
            preserved_rng(),
            composed_alone(normalize(expand_sources(expand_resume(overrides)))) as cfg,
        ):
            run_dir = Path(cfg.run_dir)
            inherit_run(cfg)
            validate_config(cfg)
            return Run(run_dir, training.train(cfg))
    except Exception as error:
        if not is_user_facing(error):
            raise
        if run_dir is not None:
            remove_empty_dirs(run_dir)
        raise UserError(format_error(error, overrides)) from error
    except SystemExit as interrupted:
        raise KeyboardInterrupt from interrupted
