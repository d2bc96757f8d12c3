"""Packages whose classes a file may name."""

# Their classes only compute: constructing one opens no file and no connection.
TRUSTED_PACKAGES = (
    "vae_lightning.models",
    "vae_lightning.networks",
    "vae_lightning.distributions",
    "vae_lightning.posteriors",
    "vae_lightning.priors",
    "vae_lightning.regularizers",
    "torch.optim",
)
DATA_PACKAGES = ("vae_lightning.data",)
CALLBACK_PACKAGES = ("vae_lightning.callbacks", "lightning.pytorch.callbacks")
