"""Results of an evaluation: numbers with their uncertainty, or the reason why a number is unavailable."""

from collections.abc import Iterable
from typing import NamedTuple

from vae_lightning.metrics import MeanAndError

GIVEN_LABELS = "the encoder is given the labels, so its codes contain them whatever the images show"


class Result(NamedTuple):
    """One row of the table.

    Attributes:
        value: the number, or a list with one number per latent; None if it is unavailable.
        error: the standard error of the value over images.
        std: the standard deviation of the value over repeats or subsets.
        note: units, sample counts and settings, or the reason why there is no value.
    """

    value: float | list[float] | None
    error: float | None = None
    std: float | None = None
    note: str = ""


Results = dict[str, Result]


def mean_result(mean: MeanAndError, note: str) -> Result:
    """Return a mean over images with its standard error."""
    return Result(mean.mean, error=mean.error, note=note)


def unavailable(names: Iterable[str], reason: str) -> Results:
    """Return results without a value, all for the same reason."""
    return {name: Result(None, note=f"unavailable: {reason}") for name in names}
