"""Errors that a person is meant to read."""

from collections.abc import Collection
from typing import TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """A mistake that the person at the keyboard can mend.

    The message is one line: what is wrong, where, and what to type instead. The command line prints it without a
    stack trace and exits with code 1; from Python it is an ordinary `ValueError`.
    """


class Pruned(Exception):  # noqa: N818 - no error: its search goes on without it
    """A run was stopped because others have done better. The message says when, and how it stood."""


def one_line(error: BaseException) -> str:
    """What an error says, in one line; its kind where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def one_of(option: str, value: T, choices: Collection[T]) -> T:
    """The value of an option that has a few choices.

    Raises:
        UserError: when it is none of them.
    """
    if value not in choices:
        raise UserError(f"{option}={value}: choose one of {', '.join(map(str, choices))}")
    return value
