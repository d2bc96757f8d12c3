"""The variational autoencoder, and the conditional one."""

from typing import Any

from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import KL


class VAE(ELBOModule):
    """distortion + KL(q(z|x) || p(z)). Kingma & Welling 2014, Eq. 7; vae-cvae-mnist, Eq. 4.

    With `conditional=True` it is the conditional VAE of Sohn et al. 2015, with a prior that does not depend on the
    class (vae-cvae-mnist, Eq. 29).

    >>> model = VAE(latent_dim=10, image_shape=(1, 28, 28))
    >>> model.sample(4).shape
    torch.Size([4, 1, 28, 28])

    Args:
        **kwargs: those of `ELBOModule`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(regularizer=KL(beta=1.0), **kwargs)
