"""What a regularizer is, and the one that asks for nothing."""

from torch import Tensor, nn

from vae_lightning.distributions import Inference


class Regularizer(nn.Module):
    """The part of an objective that is not the distortion.

    Called with one batch's `Inference`, it returns `(penalty, terms)`: the penalty that is added to the distortion, a
    scalar in nats per image with every weight but the warm-up's in it, and named scalars to log. `rate` among the terms
    is E_x KL(q(z|x) || p(z)), unweighted; where it is there, `nelbo = distortion + rate` is logged too.

    Attributes:
        beta: the weight that a paper would call β, before warm-up.
    """

    beta: float = 1.0

    def forward(self, s: Inference) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (penalty, terms) of one batch."""
        raise TypeError(f"{type(self).__name__} must define forward(s) -> (penalty, terms)")


class NoPenalty(Regularizer):
    """Nothing but the distortion: an autoencoder. There is no rate, so no nelbo either."""

    beta = 0.0

    def forward(self, s: Inference) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (0, {})."""
        return s.z.new_zeros(()), {}
