"""Groups of metrics that are functions of the user's own, named on the command line."""

import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from vae_lightning.config.packages import import_function
from vae_lightning.errors import UserError
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.results import Result, Results
from vae_lightning.evaluation.settings import GROUPS
from vae_lightning.types import SPLITS


@dataclass(frozen=True)
class OwnGroup:
    """A function that evaluates a group of metrics.

    Attributes:
        target: its path, such as `my_metrics.sparsity`.
        function: (context) -> a dictionary of numbers, or of a `Result` each.
    """

    target: str
    function: Callable[[EvaluationContext], Any]

    @property
    def name(self) -> str:
        """Name of the group, which numbers in `metrics.json` start with."""
        return self.target.rpartition(".")[2]

    @property
    def source(self) -> str:
        """Code of its module, on which results of an interrupted evaluation depend; empty if there is no file."""
        with suppress(OSError, TypeError):
            return inspect.getsource(inspect.getmodule(self.function))  # type: ignore[arg-type]
        return ""

    def __call__(self, context: EvaluationContext) -> Results:
        """Evaluate the group.

        Raises:
            UserError: if the function returns anything but a dictionary of numbers.
        """
        results = self.function(context)
        try:
            return {
                str(name): value if isinstance(value, Result) else Result(float(value))
                for name, value in results.items()
            }
        except (AttributeError, TypeError, ValueError, RuntimeError) as error:
            returned = type(results).__name__
            raise UserError(
                f"--only={self.target}: must return a dictionary of numbers or Result, not {returned}."
            ) from error


def load_own_groups(only: Iterable[str]) -> list[OwnGroup]:
    """Import the functions of the user's own among the names of groups, which are those with a dot.

    Raises:
        UserError: if one cannot be imported, or has the name of other metrics.
    """
    groups = [OwnGroup(name, import_function("--only", name)) for name in dict.fromkeys(only) if "." in name]
    taken = [*GROUPS, *SPLITS, "evaluation"]
    for group in groups:
        if group.name in taken:
            raise UserError(f"--only={group.target}: there are other metrics of this name. Rename the function.")
        taken.append(group.name)
    return groups
