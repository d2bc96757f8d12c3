"""Metrics as pure functions of arrays and tensors, for any representation, independent of Lightning and Hydra."""

from vae_lightning.metrics.anomaly import AUROC, auroc, png_bits
from vae_lightning.metrics.clustering import clustering_accuracy, clustering_nmi
from vae_lightning.metrics.disentanglement import (
    DCI,
    beta_vae_metric,
    dci,
    explicitness,
    factor_vae_metric,
    mig,
    mig_per_factor,
    modularity,
    sap,
    udr,
)
from vae_lightning.metrics.downstream import knn_accuracy, linear_probe, majority
from vae_lightning.metrics.fidelity_diversity import FidelityDiversity, precision_recall_density_coverage
from vae_lightning.metrics.image_mean import ImageMean, MeanAndError, mean_and_error
from vae_lightning.metrics.information import Information, active_units, information
from vae_lightning.metrics.likelihood import LikelihoodEstimate, bits_per_dim, log_likelihood
from vae_lightning.metrics.repeats import Repeats, over_repeats
from vae_lightning.metrics.samples import Distances, ImageQuality, classifier_score, feature_distances, image_quality
from vae_lightning.metrics.two_sample import TwoSample, mmd_test

__all__ = [
    "AUROC",
    "DCI",
    "Distances",
    "FidelityDiversity",
    "ImageMean",
    "ImageQuality",
    "Information",
    "LikelihoodEstimate",
    "MeanAndError",
    "Repeats",
    "TwoSample",
    "active_units",
    "auroc",
    "beta_vae_metric",
    "bits_per_dim",
    "classifier_score",
    "clustering_accuracy",
    "clustering_nmi",
    "dci",
    "explicitness",
    "factor_vae_metric",
    "feature_distances",
    "image_quality",
    "information",
    "knn_accuracy",
    "linear_probe",
    "log_likelihood",
    "majority",
    "mean_and_error",
    "mig",
    "mig_per_factor",
    "mmd_test",
    "modularity",
    "over_repeats",
    "png_bits",
    "precision_recall_density_coverage",
    "sap",
    "udr",
]
