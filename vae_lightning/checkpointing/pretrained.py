"""The trained models that come with the package, in `vae_lightning/pretrained/`. Its README says how each was made."""

from pathlib import Path

from vae_lightning.checkpointing.safetensors_io import SUFFIX

FOLDER = Path(__file__).parents[1] / "pretrained"


def pretrained_names() -> list[str]:
    """Return the names of the models, such as `mnist_vae_2d`."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def pretrained_path(name: str | Path) -> Path | None:
    """Return the file of a model, or None if there is none of that name, or a file or directory has the same name."""
    return FOLDER / f"{name}{SUFFIX}" if str(name) in pretrained_names() and not Path(name).exists() else None
