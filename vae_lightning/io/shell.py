"""How paths and commands are shown, so that they can be pasted into a shell."""

import shlex
import sys
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

CONFIG_DIR_FLAGS = ("--config-dir", "-cd")


def display_path(path: Path) -> str:
    """Return a path as it would be typed here: relative to the current directory where possible, and quoted."""
    # with hydra.job.chdir=true, Hydra has changed the directory of this process, but not of the shell
    here = Path(HydraConfig.get().runtime.cwd) if HydraConfig.initialized() else Path.cwd()
    path = path.absolute()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def search_path(arguments: list[str]) -> list[str]:
    """Return those arguments of the command line that name further directories of configurations."""
    flags = [
        argument
        for previous, argument in zip(["", *arguments], arguments, strict=False)
        if argument.partition("=")[0] in CONFIG_DIR_FLAGS or previous in CONFIG_DIR_FLAGS
    ]
    return [*flags, *(a for a in arguments if a.lstrip("+").startswith("hydra.searchpath="))]


def train_command() -> str:
    """Return the command that trains, as it was called: `python train.py` or `vae-lightning train`."""
    return "python train.py" if Path(sys.argv[0]).name == "train.py" else "vae-lightning train"
