"""Writing figures to files."""

from pathlib import Path

from matplotlib.figure import Figure


def save_figure(figure: Figure | bytes, folder: Path, name: str) -> Path:
    """Write a figure as PNG, or the bytes of an animation as GIF, and return the path of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(figure, bytes):
        file = folder / f"{name}.gif"
        file.write_bytes(figure)
    else:
        file = folder / f"{name}.png"
        figure.savefig(file)
    return file
