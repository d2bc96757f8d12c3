"""Small models with a discriminator, and the data and Trainer for them."""

from functools import partial

import lightning as L
import torch

from vae_lightning.data import DigitsDataModule
from vae_lightning.models import AAE, CVAEGAN, VAEGAN, AutoencoderKL, FactorVAE
from vae_lightning.training.messages import quiet_lightning

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


def digits() -> DigitsDataModule:
    """Embedded digits, in batches of 256."""
    return DigitsDataModule(
        image_shape=(1, 8, 8), num_classes=10, val_size=180, test_size=360, split_seed=0, batch_size=256,
        eval_batch_size=500, seed=0, binarize="none", validation_split="val", device_resident="auto",
    )  # fmt: skip


def quiet_trainer(**options) -> L.Trainer:
    """A Trainer on the CPU that writes and prints nothing."""
    quiet_lightning()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "num_sanity_val_steps": 0}
    return L.Trainer(accelerator="cpu", enable_model_summary=False, **quiet, **options)
