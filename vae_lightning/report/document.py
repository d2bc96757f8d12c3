"""What a report consists of, whatever it is written as."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class Heading:
    """Begins a section."""

    text: str


@dataclass
class Text:
    """A paragraph."""

    text: str


@dataclass
class Command:
    """What was typed, or what to type."""

    text: str


@dataclass
class Table:
    """Rows of cells; a cell is a number, a word, a `Mean`, or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Image:
    """A PNG file beside the report."""

    file: str
    png: bytes
    alt: str


@dataclass(frozen=True)
class Mean:
    """A mean with half of its interval, NaN without one."""

    value: float
    half_width: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return ""
        return cell(self.value) + ("" if math.isnan(self.half_width) else f" ± {cell(self.half_width)}")


Block = Heading | Text | Command | Table | Image


def cell(value: Any) -> str:
    """A cell as it is read: numbers with as many digits as say something."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.2f}" if 0.1 <= abs(value) < 1e6 or value == 0 else f"{value:.3g}"
    return str(value)
