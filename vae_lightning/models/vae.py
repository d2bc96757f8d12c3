"""The variational autoencoder, and the conditional one."""

from typing import Any

from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import KL


class VAE(ELBOModule):
    """distortion + KL(q(z|x) || p(z)). Kingma & Welling 2014, Eq. 7; vae-cvae-mnist, Eq. 4.

    With `conditional=True` it is the conditional VAE of Sohn et al. 2015 with a prior that does not depend on the
    class; vae-cvae-mnist, Eq. 29. All arguments are those of `ELBOModule`.
    """

    def __init__(self, **parts: Any) -> None:
        super().__init__(regularizer=KL(beta=1.0), **parts)
