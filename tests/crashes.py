"""Callback that crashes a run in a given hook."""

from typing import Any

import lightning as L


class CrashError(Exception):
    """Simulates anything that ends a process."""


class CrashAt(L.Callback):
    """Raises CrashError when a hook is called for the n-th time."""

    def __init__(self, hook: str, n: int) -> None:
        self.n = n
        setattr(self, hook, self.count)

    def count(self, *_: Any) -> None:
        self.n -= 1
        if self.n == 0:
            raise CrashError
