"""Gradients that are differentiated again, such as one in the objective."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def differentiable_twice() -> Iterator[None]:
    """Enable gradients, without compiled functions and fused attention, which can be differentiated only once."""
    with torch.enable_grad(), torch.compiler.set_stance("force_eager"), sdpa_kernel(SDPBackend.MATH):
        yield
