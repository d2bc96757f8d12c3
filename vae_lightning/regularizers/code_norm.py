"""Squared norm of a deterministic code."""

from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.regularizers.base import Regularizer


class CodeNorm(Regularizer):
    """β · ½ ‖z‖², averaged over the batch. Ghosh et al. 2020, section 3.

    ½ ‖z‖² is -log N(z; 0, I) less its constant.

    Args:
        beta: β >= 0.
    """

    standard_normal_only = True

    def __init__(self, *, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (β · code norm, {code_norm})."""
        code_norm = 0.5 * out.z.square().sum(1).mean()
        return self.beta * code_norm, {"code_norm": code_norm}
