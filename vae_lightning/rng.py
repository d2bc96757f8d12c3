"""The state of the random number generators of Python, NumPy and torch."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def rng_state() -> dict[str, Any]:
    """Return the state of all generators as plain containers and tensors, which a checkpoint can hold."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (name, torch.from_numpy(np.asarray(keys, dtype=np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],  # the device of this process
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def set_rng_state(state: dict[str, Any]) -> None:
    """Restore a state that `rng_state` returned."""
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy(), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"][0])
    if state["mps"] is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


def generator_for(*key: int) -> torch.Generator:
    """Return a generator with a stream of its own for each key of nonnegative integers."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


@contextmanager
def preserved_rng() -> Iterator[None]:
    """Restore the state of all generators after the block."""
    state = rng_state()
    try:
        yield
    finally:
        set_rng_state(state)


@contextmanager
def isolated_rng(seed: int) -> Iterator[None]:
    """Seed torch inside the block, and restore the state of all generators afterwards."""
    with preserved_rng():
        torch.manual_seed(seed)
        yield


@contextmanager
def seeded_by(generator: torch.Generator | None) -> Iterator[None]:
    """Seed torch inside the block from a generator, for code that takes none; None changes nothing."""
    if generator is None:
        yield
        return
    with isolated_rng(int(torch.randint(2**62, (), generator=generator, device=generator.device))):
        yield
