"""Reading the files of a run that may come from somebody else: regular files of the run, as plain data."""

import re
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 4 * 2**20  # of a text file: a configuration has a few thousand bytes, metrics with many latents some more
MAX_DEPTH = 40  # of nested YAML


class PlainLoader(yaml.SafeLoader):
    """A YAML loader for plain data of limited depth, without aliases, which could expand to any size."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose one node, counting its depth."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        if self.depth >= MAX_DEPTH:
            raise yaml.YAMLError(f"nested deeper than {MAX_DEPTH} levels")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


# YAML 1.1 reads 1e-3 as a string; Hydra, which users write their configurations for, as a number.
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def check_regular_file(path: Path, run_dir: Path) -> None:
    """Check that a path is a regular file, not a pipe or device, and not a link that leaves the run directory.

    Raises:
        ValueError: if not.
        OSError: if there is no such file.
    """
    if not path.resolve(strict=True).is_relative_to(run_dir.resolve()):
        raise ValueError("a link to a file outside of the run")
    if not path.is_file():
        raise ValueError("not a regular file")


def read_text(path: Path, run_dir: Path) -> str:
    """Read a text file of a run.

    Raises:
        ValueError: if it is not a regular file of the run, too large, or not UTF-8.
        OSError: if it cannot be read.
    """
    check_regular_file(path, run_dir)
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes")
    return content.decode()


def parse_yaml(text: str) -> Any:
    """Parse YAML as plain containers; interpolations stay text.

    Raises:
        yaml.YAMLError: if it is not YAML, nested too deeply, contains aliases or anything but plain data.
    """
    return yaml.load(text, Loader=PlainLoader)
