"""Small models with a discriminator."""

from functools import partial

import torch

from vae_lightning.models import AAE, CVAEGAN, VAEGAN, AutoencoderKL, FactorVAE

ADAM = partial(torch.optim.Adam, lr=1e-3)


def cvae_gan(**parts) -> CVAEGAN:
    """A small CVAE-GAN, which is always conditional."""
    return CVAEGAN(**{"gamma": 0.5, "discriminator_optimizer": ADAM, **parts, "conditional": True})


MODELS = {
    "aae": partial(AAE, lambda_adv=5.0, discriminator_dims=[16], discriminator_optimizer=ADAM),
    "factor_vae": partial(FactorVAE, gamma=5.0, discriminator_dims=[16, 16], discriminator_optimizer=ADAM),
    "vae_gan": partial(VAEGAN, gamma=0.5, discriminator_optimizer=ADAM),
    "autoencoder_kl": partial(
        AutoencoderKL, discriminator_start=0.0, discriminator_channels=[4, 8], discriminator_optimizer=ADAM
    ),
    "cvae_gan": cvae_gan,
}
