"""Iterating over nested configurations."""

from collections.abc import Iterator, Mapping
from typing import Any


def iter_nodes(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every entry of a nested mapping, including inner mappings."""
    for name, value in config.items():
        yield f"{prefix}{name}", value
        if isinstance(value, Mapping):
            yield from iter_nodes(value, f"{prefix}{name}.")


def iter_leaves(config: Any) -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of every entry of a nested mapping that is not itself a mapping."""
    return ((key, value) for key, value in iter_nodes(config) if not isinstance(value, Mapping))
