"""The TensorBoard logger."""

from collections.abc import Collection
from typing import Any

from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import hparams


class TensorBoard(TensorBoardLogger):
    """Writes events directly to the run directory, so `tensorboard --logdir runs` shows each run under its name.

    Args:
        run_dir: the run directory.
    """

    def __init__(self, *, run_dir: str) -> None:
        super().__init__(run_dir, name="", version="", default_hp_metric=False)

    def log_hyperparams(self, *_: Any) -> None:
        """Do nothing, since the HParams tab shows nothing before there are metrics: `log_result`."""

    @rank_zero_only
    def log_result(
        self, hyperparameters: dict[str, Any], metrics: dict[str, float], first: Collection[str] = ()
    ) -> None:
        """Show hyperparameters and metrics in the HParams tab. The tab shows the last logged value of each metric.

        Args:
            hyperparameters: their names and values.
            metrics: their names and values.
            first: names of hyperparameters to show in the first columns; the tab sorts the others by name.
        """
        experiment, start, end = hparams(hyperparameters, metrics)
        plugin_data = experiment.value[0].metadata.plugin_data
        content = HParamsPluginData.FromString(plugin_data.content)
        for info in content.experiment.hparam_infos:
            info.differs = info.name in first
        plugin_data.content = content.SerializeToString()
        for summary in (experiment, start, end):
            self.experiment._get_file_writer().add_summary(summary)
        self.experiment.close()  # the last event of the run; otherwise the writer's thread would stay alive

    def save(self) -> None:
        """Flush the events. No hparams.yaml is written, since the configuration is in `.hydra/config.yaml`."""
        self.experiment.flush()
