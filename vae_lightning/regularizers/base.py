"""The interface of regularizers, and the empty one."""

from torch import Tensor, nn

from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError


class Regularizer(nn.Module):
    """The part of an objective that is not the distortion.

    Called with one batch's `Inference`, it returns `(penalty, terms)`: the penalty that is added to the distortion, a
    scalar in nats per image with every weight but the warm-up's in it, and named scalars to log. `rate` among the terms
    is E_x KL(q(z|x) || p(z)), unweighted; where it is there, `nelbo = distortion + rate` is logged too.

    Attributes:
        beta: the weight that a paper would call β, before warm-up.
        dataset_size: N, the number of training images, which the model sets from the data; None where nothing needs it.
        standard_normal_only: the formulas hold for p(z) = N(0, I) alone.
    """

    beta: float = 1.0
    dataset_size: int | None = None
    standard_normal_only: bool = False

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (penalty, terms) for one batch."""
        raise TypeError(f"{type(self).__name__} must define forward(out) -> (penalty, terms)")

    def apply_warmup(self, penalty: Tensor, terms: dict[str, Tensor], warmup: float) -> Tensor:
        """Return the penalty under a warm-up factor in [0, 1]."""
        return warmup * penalty

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return the weights under a warm-up factor, by name, to log."""
        return {"beta": warmup * self.beta}

    @property
    def n(self) -> int:
        """N.

        Raises:
            UserError: if it has not been set.
        """
        if self.dataset_size is None:
            raise UserError(
                "model.regularizer.dataset_size: this objective requires the number of training images. Set it."
            )
        return self.dataset_size


class NoPenalty(Regularizer):
    """No penalty, as in an autoencoder. There is no rate and hence no nelbo."""

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (0, {})."""
        return out.z.new_zeros(()), {}

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return no weights."""
        return {}
