"""Variational autoencoders as PyTorch Lightning experiments, composed by Hydra."""

import sys
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


def _check_not_run_as_module() -> None:
    """Exit if one of the modules is run with `python -m`, where it would only define its functions."""
    if sys.argv[:1] != ["-m"]:  # set while Python imports the package of a module given by -m
        return
    module = next((name for name in sys.orig_argv if name.startswith("vae_lightning.")), "")
    if module and module != "vae_lightning.__main__":
        sys.exit(f"error: {module}: not a program. Run python -m vae_lightning --help to see the commands.")


_check_not_run_as_module()
