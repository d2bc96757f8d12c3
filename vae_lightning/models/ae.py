"""The autoencoder."""

from functools import partial
from typing import Any

from vae_lightning.distributions import DeltaPosterior
from vae_lightning.models.base import ELBOModule
from vae_lightning.networks import Network
from vae_lightning.regularizers import NoPenalty


class AE(ELBOModule):
    """Distortion only, with a deterministic code. kingma-welling-replication, appendix A.2.

    With `likelihood=bernoulli` it minimizes the binary cross-entropy, with `likelihood=gaussian` the squared error.
    There is no rate, since a delta posterior has infinite KL to any prior, so no nelbo is logged. The activation of the
    code is the network's `code_activation`.

    Args:
        network: builds encoder and decoder; None for a `default_network`.
        **kwargs: the others of `ELBOModule`.
    """

    def __init__(self, *, network: Network | None = None, **kwargs: Any) -> None:
        network = network or type(self).default_network()
        posterior = partial(DeltaPosterior, activation=network.code_activation)
        super().__init__(regularizer=NoPenalty(), network=network, own_posterior=posterior, **kwargs)
