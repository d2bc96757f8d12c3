"""The autoencoder."""

from functools import partial
from typing import Any

from vae_lightning.distributions import DeltaPosterior
from vae_lightning.errors import check_choice
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import NoPenalty

CODE_ACTIVATIONS = ("Identity", "Tanh")


class AE(ELBOModule):
    """Distortion only, with a deterministic code. kingma-welling-replication, appendix A.2.

    With `likelihood=bernoulli` it minimizes the binary cross-entropy, with `likelihood=gaussian` the squared error.
    There is no rate, since a delta posterior has infinite KL to any prior, so no nelbo is logged.

    Args:
        code_activation: of the code: `Identity`, or `Tanh` as in the paper, which bounds it.
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if `code_activation` is none of these.
    """

    def __init__(self, *, code_activation: str = "Identity", **kwargs: Any) -> None:
        activation = check_choice("model.code_activation", code_activation, CODE_ACTIVATIONS)
        posterior = partial(DeltaPosterior, activation=activation)
        super().__init__(regularizer=NoPenalty(), own_posterior=posterior, **kwargs)
