"""TensorBoard, as this project uses it."""

from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch.utils.tensorboard.summary import hparams


class TensorBoard(TensorBoardLogger):
    """Events straight in the run's folder, so that `tensorboard --logdir runs` shows each run under its own name.

    Args:
        run_dir: the run's folder.
    """

    def __init__(self, *, run_dir: str) -> None:
        super().__init__(run_dir, name="", version="", default_hp_metric=False)

    @rank_zero_only
    def log_result(self, hyperparameters: dict[str, Any], metrics: dict[str, float]) -> None:
        """Put the run's choices beside its metrics in the HParams tab. The metrics' values are those logged last."""
        for summary in hparams(hyperparameters, metrics):
            self.experiment._get_file_writer().add_summary(summary)
        self.experiment.close()  # the last of the run: its thread would stay until the process ends

    def save(self) -> None:
        """Write no hparams.yaml: the configuration is in `.hydra/config.yaml`."""
        self.experiment.flush()
