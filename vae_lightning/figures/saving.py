"""Writing figures to files."""

from pathlib import Path

from matplotlib.figure import Figure


def save_figure(drawn: Figure | bytes, folder: Path, name: str) -> Path:
    """Write a figure as PNG, or an animation as GIF, and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(drawn, bytes):
        file = folder / f"{name}.gif"
        file.write_bytes(drawn)
    else:
        file = folder / f"{name}.png"
        drawn.savefig(file)
    return file
