"""Regularizer interface, and the regularizer without a penalty."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from vae_lightning.config.serialization import Configurable
from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError

DERIVED_TERMS = ("nelbo", "recon_kl_ratio", "bits_per_dim")  # from others, at the end of an epoch
RESERVED_TERMS = ("loss", "objective", "distortion", *DERIVED_TERMS)  # logged by the model


class Regularizer(Configurable, nn.Module, ABC):
    """Part of an objective that is added to the distortion.

    Called with the `ForwardPass` of a batch, it returns `(penalty, terms)`. The penalty is a scalar in nats per image
    that includes all weights except the warm-up factor. The terms are named scalars to log, other than the names that
    a model logs itself (`RESERVED_TERMS`) and those of the weights. The term `rate`, if there is one, is the unweighted
    E_x KL(q(z|x) || p(z)); then `nelbo = distortion + rate` is logged as well.

    Attributes:
        beta: the weight called β in papers, before warm-up.
        dataset_size: N, the number of training images, which the model sets from the data; None until then.
        standard_normal_only: whether the formulas hold for p(z) = N(0, I) only.
        diagonal_gaussian_only: whether they hold for a diagonal Gaussian q(z|x) only.
    """

    beta: float = 1.0
    dataset_size: int | None = None
    standard_normal_only: bool = False
    diagonal_gaussian_only: bool = False

    @abstractmethod
    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (penalty, terms) for a batch."""

    def checked(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (penalty, terms) for a batch.

        Raises:
            UserError: if `forward` does not return them, or a term has a name that is logged already.
        """
        result, name = self(out), type(self).__name__
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise UserError(f"{name}.forward: must return (penalty, terms), got {type(result).__name__}.")
        penalty, terms = result
        if taken := terms.keys() & {*RESERVED_TERMS, *self.effective_weights(1.0)}:
            raise UserError(f"{name}.forward: {min(taken)} is logged by the model. Use another name for the term.")
        values = {
            term: value if isinstance(value, Tensor) else out.z.new_tensor(value)
            for term, value in {"the penalty": penalty, **terms}.items()
        }
        for term, value in values.items():
            if value.dim():
                raise UserError(f"{name}.forward: {term} has shape {tuple(value.shape)}. Average it over the batch.")
        return values.pop("the penalty"), values

    def apply_warmup(self, penalty: Tensor, terms: dict[str, Tensor], warmup: float) -> Tensor:
        """Return the penalty for a warm-up factor in [0, 1]."""
        return warmup * penalty

    def epoch_penalty(self, terms: dict[str, Tensor]) -> Tensor | None:
        """Return the penalty of an epoch, from the means of the terms over its images.

        By default, None: it is the mean of the penalties of the batches. A convex function of the terms overrides this,
        since its mean over batches would be larger, and larger for smaller batches.
        """
        return None

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return the weights for a warm-up factor, by the names under which they are logged."""
        return {"beta": warmup * self.beta}

    @property
    def n(self) -> int:
        """Number of training images, N.

        Raises:
            UserError: if it has not been set.
        """
        if self.dataset_size is None:
            raise UserError(
                "model.regularizer.dataset_size=None: this objective requires the number of training images. Set the"
                " attribute to that number."
            )
        return self.dataset_size


class NoPenalty(Regularizer):
    """No penalty, as in an autoencoder. There is no rate, hence no nelbo, and the prior is not learned."""

    standard_normal_only = True

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (0, {})."""
        return out.z.new_zeros(()), {}

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return no weights."""
        return {}
