"""Writing the latents of a dataset to a file."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.data import ImageDataModule
from vae_lightning.distributed.device import resolve_device
from vae_lightning.distributions import Codes, DiagonalGaussian
from vae_lightning.errors import UserError, as_user_error, check_choice
from vae_lightning.models import ELBOModule
from vae_lightning.rng import isolated_rng
from vae_lightning.types import SPLITS

ALL = "all"  # splits
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
    """Encode the images of a run in the order of the dataset, and return the NumPy file that holds the result.

    Its arrays are `mean` (N, D), the means of q(z|x); `logvar` (N, D), log σ², if q(z|x) is a diagonal Gaussian;
    `indices` (N, P), if the latents are codes; `y`, the labels, if there are any; `label_names`, the names of classes,
    attributes or factors, if they have some; `names` (N,), the paths of image files relative to the directory of the
    data; and `split` (N,), if it is `all`.

    Args:
        path: a run directory, `latest`, or a checkpoint in a run directory.
        out: the file; by default `latents-SPLIT.npz` in the run directory.
        split: train, val, test, or all: one after the other.
        device: a torch device; by default the GPU if there is one.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.
        data_root: the directory that the data of the run has been moved to.

    Raises:
        UserError: if the run cannot be loaded, there are no such images, or the file cannot be written.
    """
    check_choice("--split", split, (*SPLITS, ALL))
    run = load_run(path, trust=trust, data_root=data_root)
    splits = [name for name in SPLITS if split in (name, ALL) and len(run.data.splits[name].x)]
    if not splits:
        raise UserError(f"--split={split}: this run has no {split} images. Use --split train.")
    file = Path(out) if out else run.run_dir / f"latents-{split}.npz"
    if file.suffix != ".npz" or not file.parent.is_dir():
        raise UserError(f"--out={file}: must be an .npz file in an existing directory.")
    model = run.model.to(resolve_device(device))
    encoded = [encode_images(model, run.data, name) for name in splits]
    arrays = {key: np.concatenate([part[key] for part in encoded]) for key in encoded[0]}
    if names := run.data.image_names():
        arrays["names"] = np.array([name for part in splits for name in names[part]])
    if run.data.label_names:
        arrays["label_names"] = np.array(run.data.label_names)
    if split == ALL:
        arrays["split"] = np.repeat(splits, [len(run.data.splits[name].x) for name in splits])
    with as_user_error(f"{file}: cannot be written ({{error}}). Pass another file with --out."):
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return file


def encode_images(model: ELBOModule, data: ImageDataModule, split: str) -> dict[str, np.ndarray]:
    """Encode the images of a split, transformed as in training; return the arrays of `write_latents` for each image."""
    parts: dict[str, list[Tensor]] = defaultdict(list)
    with isolated_rng(0):
        for part in data.splits[split].split(PER_PASS):
            batch = data.transform(part, training=False)
            q = model.encode(*batch.to(model.device))
            parts["mean"].append(q.mean)
            if isinstance(q, DiagonalGaussian):
                parts["logvar"].append(q.logvar)
            if isinstance(q, Codes):
                parts["indices"].append(q.indices)
            if batch.y is not None:
                parts["y"].append(batch.y)
    return {name: torch.cat(values).cpu().numpy() for name, values in parts.items()}
