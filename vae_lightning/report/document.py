"""The blocks that a report consists of, independent of its file format."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class Heading:
    """Start of a section, or of a part of one if its level is 3."""

    text: str
    level: int = 2


@dataclass
class Text:
    """A paragraph."""

    text: str


@dataclass
class Command:
    """A command line."""

    text: str


@dataclass
class Table:
    """Rows of cells. A cell is a number, text, a `Mean`, or None."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Image:
    """A PNG file next to the report."""

    file: str
    alt: str


@dataclass(frozen=True)
class Mean:
    """A mean with the half-width of its confidence interval, which is NaN if there is none."""

    value: float
    half_width: float

    def __str__(self) -> str:
        if math.isnan(self.value):
            return ""
        return format_cell(self.value) + ("" if math.isnan(self.half_width) else f" ± {format_cell(self.half_width)}")


Block = Heading | Text | Command | Table | Image


def format_cell(value: Any) -> str:
    """Format a cell. Floats have two decimals, or three significant digits if very small or large."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.2f}" if 0.1 <= abs(value) < 1e6 or value == 0 else f"{value:.3g}"
    return str(value)
