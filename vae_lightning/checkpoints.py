"""Checkpoints: a model back from its file, without running what the file says."""

from pathlib import Path
from typing import Any

from hydra.utils import get_class, instantiate
from lightning.pytorch.utilities import rank_zero_warn

from vae_lightning.checkpoint_files import load_whole
from vae_lightning.configuration import leaves
from vae_lightning.errors import UserError, one_line
from vae_lightning.models import ELBOModule
from vae_lightning.runs import BEST, LAST, PREVIOUS, find_checkpoint
from vae_lightning.safetensors_files import SUFFIX, unpacked

# Packages whose classes only compute: none opens a file or a connection when it is built.
TRUSTED = (
    "vae_lightning.models",
    "vae_lightning.networks",
    "vae_lightning.distributions",
    "vae_lightning.regularizers",
    "torch.optim",
)

# What a checkpoint must hold for a run to go on with it, besides what `read` wants.
STATE: dict[str, Any] = {
    "epoch": int,
    "global_step": int,
    "images_seen": int,
    "metrics": dict,
    "warmup": (int, float),
    "means": dict,
    "random_state": list,
    "optimizer_states": list,
    "callbacks": dict,
    "loops": dict,
}


def load(path: str | Path, *, trust: tuple[str, ...] = ()) -> ELBOModule:
    """A trained model from a run's folder (its best checkpoint), a checkpoint or an export; in eval mode and frozen.

    `model.unfreeze()` gives the gradients back, and training mode.

    >>> model = vae_lightning.load("runs/vae-digits/2026-01-31_12-00-00")  # doctest: +SKIP

    It is on the CPU. The file is read as plain data, and the classes that its configuration names are those of this
    package and of `torch.optim` alone, so that a stranger's checkpoint runs nothing else.

    Args:
        path: a run's folder, a checkpoint, or a file that `vae-lightning export` wrote.
        trust: packages of your own whose classes the configuration may name, such as `("my_networks",)`.

    Raises:
        UserError: when there is no checkpoint, it cannot be read, or it names a class that is not trusted.
    """
    path = find_checkpoint(path, preferred="best")
    return model_of(read(path), path, trust=trust)


def model_of(checkpoint: dict[str, Any], path: Path, *, trust: tuple[str, ...] = ()) -> ELBOModule:
    """The model of a checkpoint that has been read: what `load` returns, and raises.

    Args:
        checkpoint: what `read` returned.
        path: where it was read, for messages.
        trust: see `load`.
    """
    config = checkpoint["config"]["model"]
    refuse_untrusted(config, (*TRUSTED, *trust), path)
    try:
        model = instantiate(config, _convert_="all")
        model.load_state_dict(checkpoint["state_dict"])
        model.freeze()
        return model
    except Exception as error:  # what a configuration or weights of another version may raise is listed nowhere
        raise UserError(f"{path}: holds no model that this version can build ({one_line(error)})") from error


def read(path: Path) -> dict[str, Any]:
    """A checkpoint of a run, or an export, as plain data: tensors, numbers, strings and containers of them.

    Raises:
        UserError: when the file is damaged, or no such thing.
    """
    checkpoint = unpacked(path) if path.suffix == SUFFIX else load_whole(path)
    match checkpoint:
        case {"config": {"model": {"_target_": _}}, "state_dict": {}}:
            return checkpoint
    raise UserError(f"{path}: is not a checkpoint of this project; type one from a run's checkpoints/ folder")


def refuse_untrusted(config: Any, packages: tuple[str, ...], path: Path) -> None:
    """Raise UserError when a configuration, at any depth, names what is no class of one of the packages."""
    if type(config) is dict:
        if "_target_" in config and not is_trusted(config["_target_"], packages):
            raise UserError(
                f"{path}: names {config['_target_']}, which is not trusted; if it is a class of your own,"
                " type load(..., trust=(its package,)), or --trust and its package"
            )
        config = [*config, *config.values()]
    if type(config) is list:
        for value in config:
            refuse_untrusted(value, packages, path)
    # a resolved configuration has no interpolation, and one could build a target; nor has it other containers
    elif "${" in str(config) or not isinstance(config, str | int | float | None):
        raise UserError(f"{path}: holds {config!r}, which is not trusted in a configuration")


def is_trusted(target: Any, packages: tuple[str, ...]) -> bool:
    """Whether a target is a class that one of the packages itself defines.

    By an alias, such as `vae_lightning.checkpoints.Path`, a target would reach what other packages define.
    """
    inside = tuple(f"{package}." for package in packages)
    if not isinstance(target, str) or not target.startswith(inside):
        return False
    try:
        return f"{get_class(target).__module__}.".startswith(inside)
    except Exception:  # there is no such thing, or it is no class
        return False


def checkpoint_to_resume(config: dict[str, Any]) -> Path | None:
    """The checkpoint to go on with: the one that `resume` names, or None; of damaged ones, the one before it.

    Raises:
        UserError: when it cannot be read, lacks what a run needs to go on, or holds another model than the
            configuration's.
    """
    if not config["resume"]:
        return None
    path, checkpoint = newest_whole(find_checkpoint(config["resume"], preferred="last"))
    lacking = [name for name, kind in STATE.items() if not isinstance(checkpoint.get(name), kind)]
    if "loops" not in lacking and not checkpoint["loops"].get("fit_loop"):
        lacking.append("loops")
    if lacking:
        raise UserError(
            f"{path}: lacks {', '.join(lacking)}, which a run needs to go on; it is of another version, or only of"
            " weights: start a new run"
        )
    before, now = (dict(leaves(c)) for c in (checkpoint["config"]["model"], config["model"]))
    for key in before | now:
        if before.get(key) != now.get(key):
            raise UserError(
                f"model.{key}={now.get(key)}: it is {before.get(key)} in {path}; leave it out, or start a new run"
            )
    trained, wanted = checkpoint["epoch"] + 1, config["trainer"]["max_epochs"]
    if wanted < trained:
        raise UserError(f"trainer.max_epochs={wanted}: {path} is of epoch {trained}; type {trained} or more")
    return path


def newest_whole(path: Path) -> tuple[Path, dict[str, Any]]:
    """A checkpoint and what it holds; where the last of a run is damaged, the newest of those before it, and a warning.

    From any of them the run goes on to the same weights.

    Raises:
        UserError: when none is whole.
    """
    before = [path.with_name(name) for name in (PREVIOUS, BEST)] if path.name == LAST else []
    damage = []
    for candidate in (path, *filter(Path.is_file, before)):
        try:
            checkpoint = read(candidate)
        except UserError as error:
            damage.append(str(error))
            continue
        if damage:
            rank_zero_warn(f"{'; '.join(damage)}: going on from {candidate}, of epoch {checkpoint.get('epoch', 0) + 1}")
        return candidate, checkpoint
    raise UserError("; ".join(damage) + (": none is whole, start a new run" if len(damage) > 1 else ""))
