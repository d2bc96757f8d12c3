"""Writing figures to files."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vae_lightning.plotting.style import save

# Without the time, so that a figure drawn again is the same file.
FORMATS: dict[str, dict[str, Any]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


def save_figure(figure: Figure | bytes, folder: Path, name: str, format: str = "png") -> list[Path]:
    """Write a figure as PNG, and in another format if one is given, or the bytes of an animation as GIF.

    The PNG is always there for reports, trackers and notebooks.

    Returns:
        The paths of the files, first that of the PNG or GIF.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(figure, bytes):
        file = folder / f"{name}.gif"
        file.write_bytes(figure)
        return [file]
    files = [folder / f"{name}.{suffix}" for suffix in dict.fromkeys(["png", format])]
    for file in files:
        save(figure, file, metadata=FORMATS[file.suffix[1:]])
    return files
