"""Writing the latents of a data set to a file."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.distributed.device import resolve_device
from vae_lightning.distributions import Codes, DiagonalGaussian
from vae_lightning.errors import UserError, as_user_error, check_choice
from vae_lightning.rng import isolated_rng
from vae_lightning.types import SPLITS

PER_PASS = 500  # images


@torch.no_grad()
def write_latents(
    path: str | Path,
    out: str | Path | None = None,
    *,
    split: str = "test",
    device: str | None = None,
    trust: Trust = (),
    data_root: str | Path | None = None,
) -> Path:
    """Encode the images of a run in the order of the data set, and return the NumPy file that holds the result.

    Its arrays are `mean` (N, D), the means of q(z|x); `logvar` (N, D), log σ², if q(z|x) is a diagonal Gaussian;
    `indices` (N, P), if the latents are codes; and `y`, the labels, if there are any.

    Args:
        path: a run directory, `latest`, or a checkpoint in a run directory.
        out: the file; by default `latents-SPLIT.npz` in the run directory.
        split: train, val or test.
        device: a torch device; by default the GPU if there is one.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.
        data_root: the directory that the data of the run has been moved to.

    Raises:
        UserError: if the run cannot be loaded, there are no such images, or the file cannot be written.
    """
    check_choice("--split", split, SPLITS)
    run = load_run(path, trust=trust, data_root=data_root)
    images = run.data.splits[split]
    if not len(images.x):
        raise UserError(f"--split={split}: this run has no {split} images. Use --split train.")
    file = Path(out) if out else run.run_dir / f"latents-{split}.npz"
    if file.suffix != ".npz" or not file.parent.is_dir():
        raise UserError(f"--out={file}: must be a .npz file in a directory that exists.")
    model = run.model.to(resolve_device(device))
    parts: dict[str, list[Tensor]] = defaultdict(list)
    with isolated_rng(0):
        for part in images.split(PER_PASS):
            batch = run.data.transform(part, training=False)  # as the model was trained
            q = model.encode(*batch.to(model.device))
            parts["mean"].append(q.mean)
            if isinstance(q, DiagonalGaussian):
                parts["logvar"].append(q.logvar)
            if isinstance(q, Codes):
                parts["indices"].append(q.indices)
            if batch.y is not None:
                parts["y"].append(batch.y)
    arrays = {name: torch.cat(values).cpu().numpy() for name, values in parts.items()}
    with as_user_error(f"{file}: cannot be written ({{error}}). Pass another file with --out."):
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return file
