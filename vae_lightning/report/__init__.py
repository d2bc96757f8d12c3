"""Reports that compare many runs: tables, curves and figures on one page."""

from vae_lightning.report.write import report

__all__ = ["report"]
