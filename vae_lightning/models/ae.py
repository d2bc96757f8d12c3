"""The autoencoder."""

from functools import partial
from typing import Any

from vae_lightning.distributions import DeltaPosterior
from vae_lightning.models.base import ELBOModule
from vae_lightning.networks import Network
from vae_lightning.regularizers import NoPenalty


class AE(ELBOModule):
    """Distortion alone, through a deterministic code. kingma-welling-replication, appendix A.2.

    `likelihood=bernoulli` minimises the binary cross-entropy, `likelihood=gaussian` the squared error. There is no
    rate: a point posterior has infinite KL to any prior, so no nelbo is logged. The code's activation is the network's
    `code_activation`.

    Args:
        network: the recipe of encoder and decoder.
        **parts: the others of `ELBOModule`.
    """

    def __init__(self, *, network: Network, **parts: Any) -> None:
        posterior = partial(DeltaPosterior, activation=network.code_activation)
        super().__init__(regularizer=NoPenalty(), network=network, posterior=posterior, **parts)
