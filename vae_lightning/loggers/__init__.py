"""Loggers, and the figures and hyperparameters that they receive besides Lightning's metrics."""

from vae_lightning.loggers.building import begin_logging, build_loggers, read_logger_ids
from vae_lightning.loggers.csv_logger import CSV
from vae_lightning.loggers.receiving import closing, log_figure, where_to_look
from vae_lightning.loggers.tensorboard import TensorBoard

__all__ = [
    "CSV",
    "TensorBoard",
    "begin_logging",
    "build_loggers",
    "closing",
    "log_figure",
    "read_logger_ids",
    "where_to_look",
]
