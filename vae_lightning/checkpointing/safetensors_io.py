"""Reading and writing models as safetensors files.

The metadata of a file holds two entries besides the one of safetensors: `config`, the resolved configuration as JSON,
and `sha256`, a checksum of the configuration and all weights, since safetensors has none.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from vae_lightning.errors import UserError, as_user_error


def serialize(weights: dict[str, Tensor], config: dict[str, Any]) -> bytes:
    """Serialize weights and their configuration to the bytes of a file."""
    # The format supports neither shared memory nor other memory formats, such as channels last.
    copies = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in weights.items()
    }
    return safetensors.torch.save(copies, build_metadata(copies, json.dumps(config)))


def deserialize(path: Path) -> dict[str, Any]:
    """Read a file into the same form as a checkpoint, with `config` and `state_dict`.

    Raises:
        UserError: if the file is damaged, or was not written by `serialize`.
    """
    with as_user_error(f"{path}: cannot be read as safetensors ({{error}})."):
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        if missing := {"config", "sha256"} - metadata.keys():
            names = " and ".join(sorted(missing))
            raise UserError(f"{path}: has no {names} in its metadata. Write the file with vae-lightning export.")
        if metadata != build_metadata(weights, metadata["config"]):
            raise ValueError("damaged, its checksum is wrong")
        return {"config": json.loads(metadata["config"]), "state_dict": weights}


def build_metadata(weights: dict[str, Tensor], config: str) -> dict[str, str]:
    """Return the metadata of a file; the checksum covers the configuration and each tensor's name, type and values."""
    digest = hashlib.sha256(config.encode())
    for name in sorted(weights):
        value = weights[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return {"format": "pt", "config": config, "sha256": digest.hexdigest()}
