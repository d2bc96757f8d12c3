"""What an evaluation finds: numbers with their uncertainty, or a no with its reason."""

from typing import NamedTuple

from vae_lightning.metrics import MeanAndError


class Finding(NamedTuple):
    """One line of the table.

    Attributes:
        value: the number, or one a latent; None where there is none to be had.
        error: the standard error of the value, over images.
        std: the spread of the value, over repeats or subsets.
        note: how it was come by: counts, bins, units; or why there is no value.
    """

    value: float | list[float] | None
    error: float | None = None
    std: float | None = None
    note: str = ""


Findings = dict[str, Finding]


def measured(of_images: MeanAndError, note: str = "") -> Finding:
    """A mean over images with its standard error."""
    return Finding(of_images.mean, error=of_images.error, note=note)


def refused(names: tuple[str, ...], reason: str) -> Findings:
    """No for all of these names."""
    return {name: Finding(None, note=f"no: {reason}") for name in names}
