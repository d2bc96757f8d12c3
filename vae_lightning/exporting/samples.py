"""Writing samples of a model as image files."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from vae_lightning.checkpointing.loading import load_model
from vae_lightning.checkpointing.trust import Trust
from vae_lightning.distributed.device import resolve_device
from vae_lightning.errors import UserError
from vae_lightning.pixels import to_8_bit

PER_PASS = 500  # images


@torch.no_grad()
def write_samples(
    path: str | Path,
    out: str | Path,
    *,
    n: int = 100,
    classes: Sequence[int] = (),
    seed: int = 0,
    device: str | None = None,
    trust: Trust = (),
) -> Path:
    """Write n samples from the prior as PNG files, and return their directory.

    Samples of a conditional model are divided evenly among the classes, with a directory for each, so that
    `data=image_folder` reads their labels. If the condition is a list of attributes, each sample has one of them.

    >>> write_samples("latest", "samples", n=10_000)  # doctest: +SKIP

    Args:
        path: a run or another model, see `vae_lightning.load`.
        out: a new or empty directory.
        n: number of images.
        classes: of a conditional model; by default all.
        seed: of the samples.
        device: a torch device; by default the GPU if there is one.
        trust: packages of your own whose classes the checkpoint may name; see `load_model`.

    Raises:
        UserError: if the model cannot be loaded, its images have neither 1 nor 3 channels, an argument is invalid, or
            the directory has files.
    """
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--out={folder}: is not empty. Choose a new directory.")
    if n < 1:
        raise UserError(f"--n={n}: must be an integer >= 1.")
    model = load_model(path, trust=trust).to(resolve_device(device))
    if model.image_shape[0] not in (1, 3):
        raise UserError(
            f"{path}: images of {model.image_shape[0]} channels cannot be written as PNG files. Use model.sample in"
            " Python."
        )
    if classes and not model.condition_dim:
        raise UserError(f"--classes: {type(model).__name__} is not conditional. Leave it out.")
    if unknown := [k for k in classes or [] if not 0 <= k < model.condition_dim]:
        raise UserError(f"--classes={unknown[0]}: the classes are 0 to {model.condition_dim - 1}. Choose among them.")
    chosen = torch.tensor(classes or range(model.condition_dim), dtype=torch.int64)
    labels = chosen[torch.arange(n) % len(chosen)] if len(chosen) else None
    generator = torch.Generator().manual_seed(seed)
    for rows in torch.arange(n).split(PER_PASS):
        y = None if labels is None else labels[rows]
        images = model.sample(len(rows), None if y is None else y.to(model.device), generator)
        pixels = to_8_bit(images).permute(0, 2, 3, 1).cpu().numpy()
        for i, image in zip(rows.tolist(), pixels, strict=True):
            file = (folder if labels is None else folder / str(int(labels[i]))) / f"{i:06}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(file)
    return folder
