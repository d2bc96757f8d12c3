"""Disentanglement metrics: pure functions of codes (N, D) and known factors (N, A)."""

from vae_lightning.metrics.disentanglement.beta_vae import beta_vae_metric
from vae_lightning.metrics.disentanglement.dci import DCI, dci
from vae_lightning.metrics.disentanglement.factor_vae import factor_vae_metric
from vae_lightning.metrics.disentanglement.mig import mig, mig_per_factor
from vae_lightning.metrics.disentanglement.modularity import explicitness, modularity
from vae_lightning.metrics.disentanglement.sap import sap
from vae_lightning.metrics.disentanglement.udr import udr

__all__ = [
    "DCI",
    "beta_vae_metric",
    "dci",
    "explicitness",
    "factor_vae_metric",
    "mig",
    "mig_per_factor",
    "modularity",
    "sap",
    "udr",
]
