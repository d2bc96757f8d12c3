"""What a training asks of the machine it runs on."""

import ctypes
import logging
import os
import sys
from contextlib import nullcontext

from lightning.pytorch.profilers import Profiler

from vae_lightning.models import ELBOModule

log = logging.getLogger(__name__)

# malloc.h of the GNU C library
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
MIB = 2**20
SETTINGS = {
    M_MMAP_THRESHOLD: 32 * MIB,  # the largest that it takes: blocks above it are mapped anew each time
    M_TRIM_THRESHOLD: 2**31 - 1,  # never give back what is free at the end of the heap
    M_TOP_PAD: 64 * MIB,  # what the heap grows by
}


def keep_memory() -> bool:
    """Tell the C allocator to keep what is freed; return whether it does, and say so in the log at debug level.

    Each training step asks for the same tensors again. By default the GNU C library gives large blocks back to the
    system and asks for them anew, which then has to find and clear each page: thousands of page faults a step, up to a
    third of its time (docs/benchmarks.md). There is nothing to tell to another C library.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    kept = mallopt is not None and all(mallopt(name, value) == 1 for name, value in SETTINGS.items())
    log.debug("the C allocator %s", "keeps what is freed" if kept else "is left as it is: it has no mallopt")
    return kept


def trust_cuda() -> None:
    """Let torch ask CUDA itself whether there is a GPU, as it does unless told otherwise.

    Lightning tells it to ask the driver's monitoring library, so that a process may fork after the answer. But
    torch.optim.Adam asks at each step, and where there is no such library, each asks the linker for it in vain.
    """
    os.environ.pop("PYTORCH_NVML_BASED_CUDA_CHECK", None)


def compile_networks(model: ELBOModule, mode: str) -> None:
    """Let torch.compile rewrite encoder, posterior and decoder; names and values of the weights stay.

    What it computes differs from the networks as they are by rounding. The first batch of each size takes a minute.

    Args:
        model: any variant.
        mode: one of `rules.COMPILE_MODES`; those but `default` and the last use CUDA graphs.
    """
    for part in (model.encoder, model.posterior, model.decoder):
        part.compile(mode=mode)


class NoProfiler(Profiler):
    """Measures nothing, in less time than Lightning's own that measures nothing: it is asked 90 times a step."""

    nothing = nullcontext()

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]
        """A context that does nothing."""
        return self.nothing

    def start(self, action_name: str) -> None:
        """Nothing."""

    def stop(self, action_name: str) -> None:
        """Nothing."""
