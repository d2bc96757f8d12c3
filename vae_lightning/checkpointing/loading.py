"""Loading a model from a checkpoint without running code from the file."""

from pathlib import Path
from typing import Any

import torch

from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.checkpointing.hub import download_model, is_hub_url
from vae_lightning.checkpointing.safetensors_io import deserialize
from vae_lightning.checkpointing.trust import Part, Trust, check_trusted
from vae_lightning.config.instantiation import build
from vae_lightning.errors import UserError, as_user_error
from vae_lightning.models import ELBOModule
from vae_lightning.runs.format import CheckpointKey, check_version, migrate_config
from vae_lightning.runs.layout import EXPORT_SUFFIX
from vae_lightning.runs.pretrained import find_model


def load_model(path: str | Path, *, trust: Trust = ()) -> ELBOModule:
    """Load a trained model in eval mode, frozen, on the CPU. Also available as `vae_lightning.load`.

    Loading never runs code from the file: it is read as plain data, and its configuration may only name classes of
    this package and of `torch.optim`. Call `model.unfreeze()` to train the model further.

    >>> model = vae_lightning.load("runs/vae-digits/2026-01-31_12-00-00")  # doctest: +SKIP

    Args:
        path: one of

            - a run directory, of which the best checkpoint is loaded, or `latest` for the newest run;
            - a checkpoint, a file that `vae-lightning export` wrote, or a folder that `vae-lightning pull` wrote;
            - `hf://owner/name` or `hf://owner/name@revision`, a model on the Hugging Face hub;
            - `mnist_vae_2d` or another model that comes with the package (`vae_lightning/pretrained/README.md`).
        trust: packages of your own whose classes the configuration may name, such as `"my_networks"`, or several.

    Raises:
        UserError: if there is no checkpoint, it cannot be read, or it names a class that is not trusted.
    """
    if is_hub_url(path):
        path = download_model(str(path))
    path = find_model(path)
    return build_model(read_checkpoint(path), path, trust=trust)


def build_model(checkpoint: dict[str, Any], path: Path, *, trust: Trust = ()) -> ELBOModule:
    """Build the model of a checkpoint that has been read.

    Args:
        checkpoint: as `read_checkpoint` returns it.
        path: where it was read from, for messages.
        trust: see `load_model`.

    Raises:
        UserError: if the configuration is not trusted, or it and the weights do not make a model of this version.
    """
    config = checkpoint[CheckpointKey.CONFIG]["model"]
    check_trusted(trust, Part(config, path))
    explained = as_user_error(f"{path}: does not hold a model that this version can build ({{error}}).", reraise=())
    with explained, torch.random.fork_rng(devices=[]):  # the initial weights are drawn on the CPU
        model: ELBOModule = build(config)
        model.load_state_dict(checkpoint["state_dict"])
    model.freeze()
    model.is_pretrained = True
    return model


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint or an exported model as plain data: tensors, numbers, strings and containers of them.

    Raises:
        UserError: if the file is damaged, not a checkpoint of this project, or of a newer version.
    """
    checkpoint = deserialize(path) if path.suffix == EXPORT_SUFFIX else load_verified(path)
    match checkpoint:
        case {CheckpointKey.CONFIG: {"model": {"_target_": _}}, "state_dict": {}}:
            check_version(checkpoint, path)
            return {**checkpoint, CheckpointKey.CONFIG: migrate_config(checkpoint[CheckpointKey.CONFIG])}
    raise UserError(f"{path}: not a checkpoint of vae_lightning. Pass one from a run's checkpoints/ directory.")
