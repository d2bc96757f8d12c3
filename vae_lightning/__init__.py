"""Variational autoencoders as PyTorch Lightning experiments, composed by Hydra."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vae_lightning.checkpoints import load as load

__all__ = ["load"]


def __getattr__(name: str) -> Any:
    """Import `load` when it is asked for: torch takes seconds, and a mistake on the command line is told before."""
    if name == "load":
        from vae_lightning.checkpoints import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
