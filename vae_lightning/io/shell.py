"""How paths and commands are shown, so that they can be pasted into a shell."""

import shlex
import sys
from pathlib import Path


def display_path(path: Path) -> str:
    """Return a path as it would be typed here: relative to the current directory where possible, and quoted."""
    path = path.absolute()
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def train_command() -> str:
    """Return the command that trains, as it was called: `python train.py` or `vae-lightning train`."""
    return "python train.py" if Path(sys.argv[0]).name == "train.py" else "vae-lightning train"
