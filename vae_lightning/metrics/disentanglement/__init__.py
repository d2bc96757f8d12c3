"""Disentanglement metrics: pure functions of codes (N, D) and known factors (N, A)."""

from vae_lightning.metrics.disentanglement.beta_vae import beta_vae_metric
from vae_lightning.metrics.disentanglement.dci import DCI, dci
from vae_lightning.metrics.disentanglement.factor_vae import factor_vae_metric
from vae_lightning.metrics.disentanglement.info_mec import InfoMEC, info_mec
from vae_lightning.metrics.disentanglement.irs import irs
from vae_lightning.metrics.disentanglement.mig import mig, mig_per_factor
from vae_lightning.metrics.disentanglement.mig_sup import mig_sup
from vae_lightning.metrics.disentanglement.modularity import explicitness, modularity
from vae_lightning.metrics.disentanglement.probabilistic_mig import probabilistic_mig
from vae_lightning.metrics.disentanglement.sap import sap
from vae_lightning.metrics.disentanglement.udr import udr
from vae_lightning.metrics.disentanglement.unsupervised import (
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    mutual_information_score,
)

__all__ = [
    "DCI",
    "InfoMEC",
    "beta_vae_metric",
    "dci",
    "explicitness",
    "factor_vae_metric",
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "info_mec",
    "irs",
    "mig",
    "mig_per_factor",
    "mig_sup",
    "modularity",
    "mutual_information_score",
    "probabilistic_mig",
    "sap",
    "udr",
]
