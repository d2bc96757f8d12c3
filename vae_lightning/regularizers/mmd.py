"""Maximum mean discrepancy between the aggregate posterior and the prior."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows
from vae_lightning.distributions import DeltaDistribution, ForwardPass
from vae_lightning.errors import UserError, check_choice
from vae_lightning.regularizers.base import Regularizer
from vae_lightning.regularizers.kl import kl

# Functions of the squared distance and a scale of it.
KERNELS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "rbf": lambda squared, scale: torch.exp(-squared / scale),
    "imq": lambda squared, scale: scale / (scale + squared),
}


ESTIMATORS = ("unbiased", "biased")


def mmd(
    a: Tensor,
    b: Tensor,
    kernel: str,
    *,
    bandwidth: float | None = None,
    bandwidth_factors: Sequence[float] = (1.0,),
    estimator: str = "unbiased",
) -> Tensor:
    """Estimate MMD² between the distributions of two samples, a scalar. Gretton et al. 2012, Eqs. 3 and 5.

    Args:
        a: first sample, (N, D).
        b: second sample, (M, D).
        kernel: `rbf`, exp(-‖a-b‖² / s), or `imq`, s / (s + ‖a-b‖²), as in Tolstikhin et al. 2018, section 4.
        bandwidth: s; None for 2D, the mean of ‖a-b‖² for two samples of N(0, I). Set it for other distributions, such
            as 2 for unit vectors; with a far too large one, the kernel hardly sees more than the means.
        bandwidth_factors: the kernel is the sum of those with the bandwidths s · factor. The code of Tolstikhin et al.
            uses 0.1, 0.2, 0.5, 1, 2, 5 and 10.
        estimator: `unbiased` excludes pairs of a point with itself, so the estimate may be negative; it is 0 for a
            sample of size one, which has no other pairs. `biased` includes them, so the estimate is never negative.
    """
    if estimator == "unbiased" and min(len(a), len(b)) < 2:
        return 0 * (a.sum() + b.sum())  # with a gradient
    scale = 2.0 * a.shape[1] if bandwidth is None else bandwidth

    def k(x: Tensor, y: Tensor) -> Tensor:
        squared = (x[:, None] - y[None]).square().sum(2)
        return sum((KERNELS[kernel](squared, factor * scale) for factor in bandwidth_factors), squared.new_zeros(()))

    def within(x: Tensor) -> Tensor:
        pairs = k(x, x)
        if estimator == "biased":
            return pairs.mean()
        return (pairs.sum() - pairs.diagonal().sum()) / (len(x) * (len(x) - 1))

    return within(a) + within(b) - 2 * k(a, b).mean()


class MMD(Regularizer):
    """(1-α) · KL(q(z|x) || p(z)) + (α+λ-1) · MMD²(q(z), p(z)). InfoVAE: Zhao et al. 2017, section 3.

    α = 1 gives λ · MMD², the penalty of the Wasserstein autoencoder (Tolstikhin et al. 2018, Eq. 4), which also works
    for a deterministic code. α = 0, λ = 1 gives the VAE.

    Args:
        alpha: α <= 1. Below 0, the rate has a larger weight than in the VAE.
        kernel: `rbf` or `imq`; see `mmd`.
        lambda_mmd: λ > 0.
        bandwidth: see `mmd`.
        bandwidth_factors: see `mmd`.
        mmd_estimator: `unbiased` or `biased`; see `mmd`.

    Raises:
        UserError: if the kernel or the estimator is not one of these, or the weight of KL or MMD² is negative.
    """

    def __init__(
        self,
        *,
        alpha: float,
        kernel: str,
        lambda_mmd: float = 1000.0,
        bandwidth: float | None = None,
        bandwidth_factors: Sequence[float] = (1.0,),
        mmd_estimator: str = "unbiased",
    ) -> None:
        super().__init__()
        if alpha > 1 or alpha + lambda_mmd < 1:
            raise UserError(
                f"model.alpha={alpha}, model.lambda_mmd={lambda_mmd}: the weights 1 - alpha of the KL and"
                " alpha + lambda_mmd - 1 of the MMD must be >= 0."
            )
        self.alpha, self.lambda_mmd = alpha, lambda_mmd
        self.bandwidth = bandwidth
        self.mmd = partial(
            mmd,
            kernel=check_choice("model.kernel", kernel, KERNELS),
            bandwidth_factors=tuple(bandwidth_factors),
            estimator=check_choice("model.mmd_estimator", mmd_estimator, ESTIMATORS),
        )

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the weighted sum, {mmd, and rate if the posterior has a density})."""
        z, prior = (out.append_condition(draws) for draws in (out.z, out.pz.sample(len(out.z))))
        bandwidth = 2.0 * out.z.shape[1] if self.bandwidth is None else self.bandwidth  # without the condition
        terms = {"mmd": self.mmd(all_gather_rows(z), all_gather_rows(prior), bandwidth=bandwidth)}
        penalty = (self.alpha + self.lambda_mmd - 1) * terms["mmd"]
        if not isinstance(out.qz, DeltaDistribution):
            terms["rate"] = kl(out).mean()
            penalty = penalty + (1 - self.alpha) * terms["rate"]
        return penalty, terms

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return the weights of KL and MMD²."""
        return {"beta": warmup * (1 - self.alpha), "lambda_mmd": warmup * (self.alpha + self.lambda_mmd - 1)}
