"""Many runs to one table, one set of curves, one page."""

from vae_lightning.report.write import report

__all__ = ["report"]
