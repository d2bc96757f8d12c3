"""Variational autoencoders as PyTorch Lightning experiments, composed by Hydra."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vae_lightning.checkpointing.loading import load_model as load
    from vae_lightning.training.launch import train

__all__ = ["__version__", "load", "train"]


def __getattr__(name: str) -> Any:
    """Import the public functions on first use: they need torch, which takes seconds that the command line saves."""
    if name == "load":
        from vae_lightning.checkpointing.loading import load_model

        return load_model
    if name == "train":
        from vae_lightning.training.launch import train

        return train
    if name == "__version__":
        from importlib.metadata import version

        return version("vae-lightning")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
