"""Decomposition of the KL into mutual information, total correlation and dimension-wise KL."""

import math
from typing import NamedTuple

from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows, global_batch_size, local_rows
from vae_lightning.distributions import DiagonalGaussian, ForwardPass
from vae_lightning.errors import UserError, check_choice
from vae_lightning.regularizers.aggregate import mean_log_aggregate
from vae_lightning.regularizers.base import Regularizer
from vae_lightning.regularizers.kl import kl

ESTIMATORS = ("stratified", "weighted")


class Decomposition(NamedTuple):
    """E_x KL(q(z|x) || p(z)) as the sum of three terms, each a scalar in nats. Chen et al. 2018, Eq. 2.

    Attributes:
        mutual_information: KL(q(z, x) || q(z) p(x)), the index-code mutual information I(x; z).
        total_correlation: KL(q(z) || Π_d q(z_d)).
        dimension_wise_kl: Σ_d KL(q(z_d) || p(z_d)).
    """

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise_kl: Tensor


def log_weights(batch_size: int, n: int, estimator: str, like: Tensor) -> Tensor:
    """Return the log weight of the posterior of image j in the estimate of q(z_i), for all i and j, (B, B).

    `stratified`: z_i comes from image i, so image i has the weight of one image out of n, 1/n. The others represent all
    remaining images, with weight (n-1) / (n (B-1)) each. The rows sum to 1, and the estimate of q(z_i) is unbiased.
    Chen et al. 2018, appendix C.2. Their published code puts 1/n in a column instead of the diagonal.

    `weighted`: all weights are 1 / (n B). Chen et al. 2018, Eq. 3; overview-ae-vae-beta-tcvae-celeba, section VI.A. The
    estimate of log q(z) is too low by up to log n, and that of TC too high by about (D-1) log n.

    Args:
        batch_size: B. The image of a batch of one represents all images.
        n: N, the number of training images.
        estimator: `stratified` or `weighted`.
        like: a tensor with the dtype and device of the result.
    """
    if estimator == "weighted":
        diagonal = off_diagonal = 1 / (n * batch_size)
    elif batch_size == 1 or n == 1:
        diagonal = off_diagonal = 1 / batch_size
    else:
        diagonal, off_diagonal = 1 / n, (n - 1) / (n * (batch_size - 1))
    return like.new_full((batch_size, batch_size), math.log(off_diagonal)).fill_diagonal_(math.log(diagonal))


def decompose(qz: DiagonalGaussian, pz: DiagonalGaussian, z: Tensor, n: int, estimator: str) -> Decomposition:
    """Estimate the three terms from a batch. They sum to the mean of log q(z|x) - log p(z) over the given z.

    With several processes, q(z) is estimated from the global batch: the B samples of this process are compared with the
    posteriors of all W global rows, in time proportional to B · W · D per process.

    Args:
        qz: the posteriors of the batch, (B, D).
        pz: the prior, a diagonal Gaussian, (1, D).
        z: one sample from each posterior, (B, D).
        n: N, the number of training images.
        estimator: `stratified` or `weighted`; see `log_weights`.
    """
    weights = local_rows(log_weights(global_batch_size(len(z)), n, estimator, like=z))
    log_qz, log_qz_product = mean_log_aggregate(z, all_gather_rows(qz.mu), all_gather_rows(qz.logvar), weights)
    return Decomposition(
        mutual_information=qz.log_prob(z).mean() - log_qz,
        total_correlation=log_qz - log_qz_product,
        dimension_wise_kl=log_qz_product - pz.log_prob(z).mean(),
    )


class TotalCorrelation(Regularizer):
    """α · I(x; z) + β · TC(z) + γ · Σ_d KL(q(z_d) || p(z_d)). Chen et al. 2018, Eq. 4.

    Args:
        alpha: α >= 0.
        beta: β >= 0.
        gamma: γ >= 0.
        estimator: estimator of log q(z), `stratified` or `weighted`; see `log_weights`.

    Raises:
        UserError: if the estimator is neither `stratified` nor `weighted`, or a weight is negative.
    """

    standard_normal_only = diagonal_gaussian_only = True

    def __init__(
        self, *, alpha: float = 1.0, beta: float = 6.0, gamma: float = 1.0, estimator: str = "stratified"
    ) -> None:
        super().__init__()
        if min(alpha, beta, gamma) < 0:
            raise UserError(f"model.alpha={alpha}, model.beta={beta}, model.gamma={gamma}: weights must be >= 0.")
        self.alpha, self.beta, self.gamma = alpha, beta, gamma
        self.estimator = check_choice("model.estimator", estimator, ESTIMATORS)

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the weighted sum, {the three terms, rate}). The rate is in closed form, without sampling noise."""
        parts = decompose(out.qz, out.pz, out.z, self.n, self.estimator)
        penalty = (
            self.alpha * parts.mutual_information
            + self.beta * parts.total_correlation
            + self.gamma * parts.dimension_wise_kl
        )
        return penalty, {**parts._asdict(), "rate": kl(out).mean()}

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return β, and the other two weights if they are not 1."""
        others = {"alpha": self.alpha, "gamma": self.gamma}
        weights = {"beta": self.beta, **{name: weight for name, weight in others.items() if weight != 1}}
        return {name: warmup * weight for name, weight in weights.items()}
