"""Disentangled inferred prior: a penalty on the distance of the covariance of the aggregate posterior from I."""

import torch
from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows
from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import check_choice
from vae_lightning.regularizers.base import Regularizer
from vae_lightning.regularizers.kl import kl


def covariance(x: Tensor) -> Tensor:
    """Compute the covariance E[x xᵀ] - E[x] E[x]ᵀ of the rows of x (B, D), (D, D), divided by B rather than B-1."""
    centered = x - x.mean(0)
    with torch.autocast(x.device.type, enabled=False):  # which would compute the product in half precision
        return centered.T @ centered / len(centered)


class DIP(Regularizer):
    """KL + λ_od · Σ_{i≠j} C_ij² + λ_d · Σ_i (C_ii - 1)². Kumar et al. 2018, Eqs. 6 (I) and 7 (II).

    C is the covariance of the posterior means (variant `i`) or of z (variant `ii`). By the law of total covariance, the
    latter is Cov_x[mu(x)] + E_x[diag(σ²(x))].

    Args:
        variant: `i` or `ii`.
        lambda_od: λ_od >= 0, the weight of the squared off-diagonal entries.
        lambda_d: λ_d >= 0, the weight of the squared differences of the diagonal from 1.

    Raises:
        UserError: if the variant is neither `i` nor `ii`.
    """

    standard_normal_only = diagonal_gaussian_only = True

    def __init__(self, *, variant: str = "ii", lambda_od: float = 10.0, lambda_d: float = 10.0) -> None:
        super().__init__()
        self.variant = check_choice("model.variant", variant, ("i", "ii"))
        self.lambda_od, self.lambda_d = lambda_od, lambda_d

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (rate + weighted squares, {rate, dip_off_diagonal, dip_diagonal}); the terms are unweighted."""
        cov = covariance(all_gather_rows(out.qz.mu))
        if self.variant == "ii":
            cov = cov + torch.diag(all_gather_rows(out.qz.logvar.exp()).mean(0))
        diagonal = cov.diagonal()
        terms = {
            "rate": kl(out).mean(),
            "dip_off_diagonal": (cov - torch.diag(diagonal)).square().sum(),
            "dip_diagonal": (diagonal - 1).square().sum(),
        }
        penalty = terms["rate"] + self.lambda_od * terms["dip_off_diagonal"] + self.lambda_d * terms["dip_diagonal"]
        return penalty, terms

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return the weights of the KL and of the squares."""
        return {"beta": warmup, "lambda_od": warmup * self.lambda_od, "lambda_d": warmup * self.lambda_d}
