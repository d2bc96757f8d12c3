"""Process-wide settings that make training faster."""

import ctypes
import logging
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch._functorch.config
from lightning.pytorch.profilers import Profiler

from vae_lightning.models import ELBOModule

log = logging.getLogger(__name__)

# From malloc.h of the GNU C library.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
MIB = 2**20
MALLOC_OPTIONS = {
    M_MMAP_THRESHOLD: 32 * MIB,  # the maximum; larger blocks are mapped and unmapped every time
    M_TRIM_THRESHOLD: 2**31 - 1,  # never return free memory at the end of the heap
    M_TOP_PAD: 64 * MIB,  # the step by which the heap grows
}


def tune_malloc() -> bool:
    """Make the C allocator keep freed memory; return whether it does.

    Every training step allocates the same tensors. By default the GNU C library returns large blocks to the system and
    maps new ones, whose pages must be found and cleared: thousands of page faults per step, up to a third of its time
    (docs/benchmarks.md). Other C libraries have no such option.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    is_tuned = mallopt is not None and all(mallopt(name, value) == 1 for name, value in MALLOC_OPTIONS.items())
    log.debug("the C allocator %s", "keeps freed memory" if is_tuned else "is unchanged, since it has no mallopt")
    return is_tuned


def disable_nvml_check() -> None:
    """Let torch query CUDA directly for GPUs, which is its default.

    Lightning makes it query NVML instead, so that the process can fork afterwards. But torch.optim.Adam queries at each
    step, and without that library every query searches for it in vain.
    """
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


def compile_networks(model: ELBOModule, mode: str) -> None:
    """Compile encoder, posterior and decoder with torch.compile, keeping names and values of the weights.

    Results differ from eager mode by rounding. The first batch of each size takes a minute. Without gradients, as in
    validation and figures, the networks run uncompiled: there the CUDA graph of one network would free what the one
    before it has returned.

    Args:
        model: any model.
        mode: one of `config.schema.COMPILE_MODES`; `reduce-overhead` and `max-autotune` use CUDA graphs.
    """
    if model.retains_graph:  # a compiled backward pass reuses the memory of its inputs, so a second one would raise
        torch._functorch.config.donated_buffer = False
    for module in (model.encoder, model.posterior, model.decoder):
        compiled = torch.compile(module._call_impl, mode=mode)
        # What `Module.compile` sets. Copies of the module do not have it.
        module._compiled_call_impl = partial(call_network, compiled, module._call_impl)


def call_network(compiled: Callable[..., Any], eager: Callable[..., Any], *args: Any) -> Any:
    """Call a network compiled if gradients are needed, and otherwise as it is."""
    return (compiled if torch.is_grad_enabled() else eager)(*args)


class NullProfiler(Profiler):
    """A profiler that does nothing. Faster than Lightning's `PassThroughProfiler`, at 90 calls per step."""

    context = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        """Return a context that does nothing."""
        return self.context

    def start(self, action_name: str) -> None:
        """Do nothing."""

    def stop(self, action_name: str) -> None:
        """Do nothing."""
