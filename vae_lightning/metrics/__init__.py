"""Metrics as pure functions of arrays and tensors, for any representation, independent of Lightning and Hydra."""

from vae_lightning.metrics.anomaly import AUROC, auroc, png_bits
from vae_lightning.metrics.clustering import clustering_accuracy, clustering_nmi
from vae_lightning.metrics.disentanglement import (
    DCI,
    InfoMEC,
    beta_vae_metric,
    dci,
    explicitness,
    factor_vae_metric,
    gaussian_total_correlation,
    gaussian_wasserstein_correlation,
    info_mec,
    irs,
    mig,
    mig_per_factor,
    mig_sup,
    modularity,
    mutual_information_score,
    probabilistic_mig,
    sap,
    udr,
)
from vae_lightning.metrics.downstream import (
    accuracy_with_few_labels,
    boosted_trees,
    knn_accuracy,
    linear_probe,
    majority,
)
from vae_lightning.metrics.fidelity_diversity import FidelityDiversity, precision_recall_density_coverage
from vae_lightning.metrics.image_mean import ImageMean, MeanAndError, mean_and_error
from vae_lightning.metrics.information import Information, active_units, information
from vae_lightning.metrics.likelihood import LikelihoodEstimate, bits_per_dim, log_likelihood
from vae_lightning.metrics.repeats import Repeats, over_repeats
from vae_lightning.metrics.samples import KID, ImageQuality, classifier_score, fid, image_quality, kid
from vae_lightning.metrics.standard_errors import block_errors, jackknife_errors
from vae_lightning.metrics.two_sample import TwoSample, mmd_test

__all__ = [
    "AUROC",
    "DCI",
    "KID",
    "FidelityDiversity",
    "ImageMean",
    "ImageQuality",
    "InfoMEC",
    "Information",
    "LikelihoodEstimate",
    "MeanAndError",
    "Repeats",
    "TwoSample",
    "accuracy_with_few_labels",
    "active_units",
    "auroc",
    "beta_vae_metric",
    "bits_per_dim",
    "block_errors",
    "boosted_trees",
    "classifier_score",
    "clustering_accuracy",
    "clustering_nmi",
    "dci",
    "explicitness",
    "factor_vae_metric",
    "fid",
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "image_quality",
    "info_mec",
    "information",
    "irs",
    "jackknife_errors",
    "kid",
    "knn_accuracy",
    "linear_probe",
    "log_likelihood",
    "majority",
    "mean_and_error",
    "mig",
    "mig_per_factor",
    "mig_sup",
    "mmd_test",
    "modularity",
    "mutual_information_score",
    "over_repeats",
    "png_bits",
    "precision_recall_density_coverage",
    "probabilistic_mig",
    "sap",
    "udr",
]
