"""Describing an object by the configuration that builds it, so that a checkpoint can name its model."""

import inspect
from functools import partial
from typing import Any, TypeVar

from vae_lightning.errors import UserError

T = TypeVar("T", bound="Configurable")


class Configurable:
    """Base class of objects that remember the arguments they were constructed with."""

    init_arguments: dict[str, Any]

    def __new__(cls: type[T], *args: Any, **kwargs: Any) -> T:
        """Keep the arguments by name; those of `**kwargs` parameters are kept by their own names."""
        instance = super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        try:
            arguments = dict(signature.bind_partial(instance, *args, **kwargs).arguments)
        except TypeError:  # __init__ will raise it with the name of the class
            return instance
        arguments.pop(next(iter(signature.parameters)))  # self
        for name, parameter in signature.parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                arguments |= arguments.pop(name, {})
        object.__setattr__(instance, "init_arguments", arguments)  # also of a frozen dataclass or an nn.Module
        return instance


def describe(value: Any) -> Any:
    """Return the configuration from which Hydra's `instantiate` builds an equal object, in plain containers.

    Args:
        value: a `Configurable`, a class or a `partial` of one, a plain value, or containers of these.

    Raises:
        UserError: if it contains anything else.
    """
    if isinstance(value, Configurable):
        arguments = {name: describe(argument) for name, argument in value.init_arguments.items()}
        return {"_target_": path_of(type(value)), **arguments}
    if isinstance(value, partial) and not value.args:
        keywords = {name: describe(argument) for name, argument in value.keywords.items()}
        return {"_target_": path_of(value.func), "_partial_": True, **keywords}
    if isinstance(value, type):
        return {"_target_": path_of(value), "_partial_": True}
    if isinstance(value, dict):
        return {name: describe(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise UserError(
        f"{value!r}: cannot be described in a checkpoint. Use a class of vae_lightning, functools.partial of one, or"
        " plain values as arguments of the model."
    )


def path_of(function: Any) -> str:
    """Return the dotted path from which a class or function can be imported."""
    return f"{function.__module__}.{function.__qualname__}"
