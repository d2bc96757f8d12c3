"""The console that a run prints on."""

from rich.console import Console

CONSOLE = Console(highlight=False, markup=False, soft_wrap=True)
