"""Hashes of tensors, to recognize models and images."""

import hashlib

import torch
from torch import Tensor, nn


def fingerprint(*tensors: Tensor | None) -> str:
    """Return a hash of the values and shapes of tensors; None, such as for missing labels, has a hash as well."""
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        if tensor is None:
            digest.update(b"None")
            continue
        digest.update(str(tuple(tensor.shape)).encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def fingerprint_model(model: nn.Module) -> str:
    """Return a hash of the weights and buffers of a model."""
    return fingerprint(*model.state_dict().values())
