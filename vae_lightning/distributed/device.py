"""Choosing a device."""

import torch

from vae_lightning.errors import UserError


def resolve_device(name: str | None) -> torch.device:
    """Return a torch device that is available, by default the GPU if there is one, else the CPU.

    Raises:
        UserError: if the device is not available.
    """
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"--device={name}: no such device on this machine. Use --device cpu.") from error
    return device
