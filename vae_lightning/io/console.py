"""The console that a run prints on."""

from rich.console import Console
from rich.table import Table

CONSOLE = Console(highlight=False, markup=False, soft_wrap=True)
MAX_WIDTH = 1000  # characters of a wide table


def print_wide(table: Table) -> None:
    """Print a table in its natural width, even if the terminal is narrower, so no cell is cut or folded."""
    Console(highlight=False, markup=False, width=MAX_WIDTH).print(table)
