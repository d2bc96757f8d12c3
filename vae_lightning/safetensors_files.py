"""Models in safetensors files: what stands in them, written and read.

The metadata of the file holds two texts besides safetensors' own: `config`, the resolved configuration as JSON, and
`sha256`, the checksum of that text and all weights, since safetensors has none.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from vae_lightning.errors import UserError, one_line

SUFFIX = ".safetensors"


def packed(weights: dict[str, Tensor], config: dict[str, Any]) -> bytes:
    """The bytes of a file of these weights and this configuration."""
    apart = {name: value.detach().cpu().clone() for name, value in weights.items()}  # it takes no shared memory
    return safetensors.torch.save(apart, metadata_of(apart, json.dumps(config)))


def unpacked(path: Path) -> dict[str, Any]:
    """What a file holds, as a checkpoint would: `config` and `state_dict`.

    Raises:
        UserError: when it is damaged, or was not written by `packed`.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        text = metadata["config"]
        if metadata != metadata_of(weights, text):
            raise ValueError("it is damaged, its checksum is wrong")
        return {"config": json.loads(text), "state_dict": weights}
    except KeyError as error:
        raise UserError(f"{path}: has no {error} in its metadata; vae-lightning export writes it there") from error
    except Exception as error:  # what a damaged or foreign file may raise is listed nowhere
        raise UserError(f"{path}: cannot be read as safetensors ({one_line(error)})") from error


def metadata_of(weights: dict[str, Tensor], text: str) -> dict[str, str]:
    """What stands beside the weights; the checksum is of the text, and of each tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(weights):
        value = weights[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return {"format": "pt", "config": text, "sha256": digest.hexdigest()}
