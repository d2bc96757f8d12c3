"""Exceptions meant for the user, and how to raise them."""

import re
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class UserError(ValueError):
    """An error that the user can fix.

    The message is one line, `<key>=<value>: <problem>. <fix>`. The command line prints it without a stack trace and
    exits with code 1. In Python it is an ordinary `ValueError`.
    """


class Interrupted(BaseException):  # not an Exception, which Lightning's TensorBoard logger would turn into another
    """The run was asked to stop by a signal, and has stopped.

    Attributes:
        exit_code: 128 plus the number of the signal, as in a shell: 130 for SIGINT, 143 for SIGTERM, 140 for SIGUSR2.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


class TrialPruned(Exception):  # noqa: N818 - the search continues without this run
    """The search stopped this run because others were better at its age. The message gives epoch and value."""


def one_line(error: BaseException) -> str:
    """Return the message of an error on one line without memory addresses, or the name of its class if it has none."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(str(error).split())) or type(error).__name__


@contextmanager
def as_user_error(message: str, reraise: tuple[type[Exception], ...] = (UserError,)) -> Iterator[None]:
    """Turn any exception raised inside the block into a one-line `UserError`.

    For code whose exceptions cannot be listed, such as reading a damaged file or building a class from a configuration.

    Args:
        message: the new message; `{error}` stands for the original one, `{kind}` for the name of its class.
        reraise: exceptions that pass unchanged.

    Raises:
        UserError: if the block raises anything else.
    """
    try:
        yield
    except reraise:
        raise
    except Exception as error:
        text = message.replace("{kind}", type(error).__name__).replace("{error}", one_line(error))
        raise UserError(text) from error


def check_choice(option: str, value: T, choices: Collection[T]) -> T:
    """Return the value of an option that takes one of a few values.

    Raises:
        UserError: if the value is not among the choices.
    """
    if value not in choices:
        raise UserError(f"{option}={value}: not a valid choice. Choose one of {', '.join(map(str, choices))}.")
    return value
