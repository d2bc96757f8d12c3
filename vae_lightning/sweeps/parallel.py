"""How many jobs of a sweep a machine runs at once, for `hydra/launcher=auto`."""

from omegaconf import OmegaConf

from vae_lightning.io.resources import available_cores, free_memory

JOB_MEMORY = 1.5e9  # bytes; training the default model on MNIST takes 1.0e9


def parallel_jobs(accelerator: str) -> int:
    """Return the number of jobs: one per core with enough memory, or one at a time on a GPU or another accelerator.

    Several processes with one thread each train small models faster than one process with several threads
    (docs/benchmarks.md).

    Args:
        accelerator: the option of the trainer; `auto` uses a GPU if there is one.
    """
    if accelerator not in ("cpu", "auto") or (accelerator == "auto" and has_accelerator()):
        return 1
    return max(1, int(min(available_cores(), free_memory() / JOB_MEMORY)))  # infinite memory if it is unknown


def has_accelerator() -> bool:
    """Return whether the trainer would choose something else than the CPU."""
    import torch  # takes a second, which other launchers do not need

    return torch.accelerator.is_available()


OmegaConf.register_new_resolver("parallel_jobs", parallel_jobs, replace=True)
