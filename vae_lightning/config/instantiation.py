"""Building objects from their configuration."""

from functools import partial
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from vae_lightning.errors import UserError

build = partial(instantiate, _convert_="all")  # plain lists and dictionaries instead of OmegaConf's


def build_component(cfg: Any, name: str, kind: type, group: str = "", **kwargs: Any) -> Any:
    """Build the object that `cfg[name]` describes.

    Args:
        cfg: a configuration group.
        name: of the entry.
        kind: the class that the object must be an instance of.
        group: the dotted name of the group, for messages.
        **kwargs: further arguments of the object.

    Raises:
        UserError: if the object is of another class.
    """
    built = build(cfg[name], **kwargs)
    if not isinstance(built, kind):
        key = f"{group}.{name}".lstrip(".")
        raise UserError(f"{key}: {type(built).__name__} is not a {kind.__name__}. Set another {key}._target_.")
    return built


def build_components(cfg: DictConfig, group: str, kind: type) -> list[Any]:
    """Build all objects of a group, except entries that are null."""
    entries = cfg.get(group) or {}
    return [build_component(entries, name, kind, group) for name in entries if entries[name] is not None]
