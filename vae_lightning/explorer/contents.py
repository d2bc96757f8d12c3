"""The contents of a run's page, as files: the same ones for the server and for a static folder."""

import io
import json
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import torch
import torch.nn.functional as F
from matplotlib.colors import to_hex
from PIL import Image
from torch import Tensor

from vae_lightning.checkpointing.run_loading import LoadedRun
from vae_lightning.data import ImageDataModule
from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.evaluation.context import BATCH_SIZE, draw_images
from vae_lightning.figures.context import FigureContext
from vae_lightning.models import ELBOModule
from vae_lightning.models.encoding import Encoded, encode
from vae_lightning.pixels import to_float
from vae_lightning.plotting.images import sprite
from vae_lightning.plotting.style import class_colors

MAX_POINTS = 2000  # images in the map
MAX_POINT_VALUES = 1_000_000  # of all their latents, 4 MB
MAX_THUMBNAIL = 32  # pixels per side
NUM_DRAWS = 200  # from the prior, for each class if it is conditional
QUANTILES = (0.005, 0.995)  # of the aggregate posterior, the ends of a slider

Files = dict[str, bytes]


@dataclass
class ExploredRun:
    """A run on the page. Use it without gradients.

    Args:
        run: the run.
        name: shown on the page.

    Attributes:
        manifest: shapes, names and ranges, as JSON.
        files: points of the map, draws from the prior and thumbnails.
    """

    run: LoadedRun
    name: str
    manifest: dict[str, Any] = field(init=False)
    files: Files = field(init=False)

    def __post_init__(self) -> None:
        model, data = self.run.model, self.run.data
        split = next(name for name in ("test", "val", "train") if len(data.splits[name].x))
        images = draw_images(data, split, min(MAX_POINTS, max(50, MAX_POINT_VALUES // model.latent_dim)), seed=0)
        encoded = encode(model, images.split(BATCH_SIZE), seed=0)
        sizes, order = latent_sizes(encoded)
        low, high = slider_range(encoded.z)
        draws, means = prior_draws(model)
        thumbnails = thumbnail_images(images.x)
        names = FigureContext(model, data).class_names
        labels = images.y.tolist() if images.y is not None and images.y.dim() == 1 and names else None
        self.manifest = {
            "name": self.name,
            "model": "conditional " * bool(model.condition_dim) + type(model).__name__,
            "imageShape": list(model.image_shape),
            "latentDim": model.latent_dim,
            "order": order.tolist(),
            "kl": None if encoded.kl is None else sizes.tolist(),
            "low": low.tolist(),
            "high": high.tolist(),
            "condition": describe_condition(model, data, names),
            "points": len(encoded.mean),
            "labels": labels,
            "labelNames": names,
            "labelColors": [to_hex(color) for color in class_colors(max(1, len(names)))],
            "thumbnail": list(thumbnails.shape[2:]),
            "priorMeans": means.tolist(),
            "draws": NUM_DRAWS,
        }
        self.files = {
            "points.bin": to_bytes(encoded.mean),
            "prior.bin": to_bytes(draws),
            "thumbnails.png": png(thumbnails),
        }


def latent_sizes(encoded: Encoded) -> tuple[Tensor, Tensor]:
    """Return how much each latent matters, (D,), and the order of the latents, the largest first.

    It is the KL in nats, or the variance of the posterior means if the KL has no closed form.
    """
    sizes = encoded.mean.var(0, correction=0) if encoded.kl is None else encoded.kl.mean(0)
    return sizes, sizes.argsort(descending=True)


def slider_range(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return the ends of each slider, (D,) each: quantiles of draws (N, D) of the aggregate posterior."""
    low, high = (torch.quantile(z.double(), q, dim=0).float() for q in QUANTILES)
    is_constant = high - low < 1e-3
    return torch.where(is_constant, low - 1, low), torch.where(is_constant, high + 1, high)


def prior_draws(model: ELBOModule) -> tuple[Tensor, Tensor]:
    """Return draws from the prior, (K, n, D), and its mean, (K, D), where K = 1 if it does not depend on the class.

    The mean is estimated if it has no closed form.
    """
    generator = torch.Generator().manual_seed(0)
    k = model.condition_dim
    if not k:
        conditions: list[Tensor | None] = [None]
    elif model.prior.uses_condition:
        conditions = [*torch.eye(k)]
    else:
        conditions = [torch.eye(k)[0]]
    draws, means = [], []
    for condition in conditions:
        y = None if condition is None else condition.expand(NUM_DRAWS, -1)
        draws.append(model.sample_prior(NUM_DRAWS, y, generator))
        is_plain = type(model).sample_prior is ELBOModule.sample_prior
        p = model.prior(model.encode, model.condition(y)) if is_plain else None
        means.append(p.mu[0] if isinstance(p, DiagonalGaussian) else draws[-1].mean(0))
    return torch.stack(draws), torch.stack(means)


def describe_condition(model: ELBOModule, data: ImageDataModule, names: list[str]) -> dict[str, Any] | None:
    """Return the kind of the condition, one of several classes or any of several attributes, and their names."""
    k = model.condition_dim
    if not k:
        return None
    y = data.splits["train"].y
    kind = "attributes" if y is not None and y.dim() > 1 else "class"
    return {"kind": kind, "names": names or data.label_names or [str(i) for i in range(k)]}


def thumbnail_images(x: Tensor) -> Tensor:
    """Scale images down to at most `MAX_THUMBNAIL` pixels per side, and at least one, (N, C, h, w) in [0, 1]."""
    x = to_float(x)
    longest = max(x.shape[2:])
    if longest <= MAX_THUMBNAIL:
        return x
    size = [max(1, side * MAX_THUMBNAIL // longest) for side in x.shape[2:]]
    return F.interpolate(x, size, mode="area")


def png(thumbnails: Tensor) -> bytes:
    """Arrange thumbnails in a square and return it as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(sprite(thumbnails)).save(buffer, "png")
    return buffer.getvalue()


def to_bytes(values: Tensor) -> bytes:
    """Return values as 32-bit floats, little-endian."""
    return values.float().contiguous().numpy().astype("<f4").tobytes()


def page_files() -> Files:
    """Return the files of the page itself."""
    folder = resources.files("vae_lightning.explorer") / "page"
    return {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.startswith("_")}


def site_files(runs: list[ExploredRun], backend: str) -> Files:
    """Return all files of the page and its runs.

    Args:
        runs: those to show.
        backend: `server` or `onnx`, which the page decodes with.
    """
    files = page_files()
    manifest = {"backend": backend, "runs": [run.manifest for run in runs]}
    files["runs.json"] = json.dumps(manifest).encode()
    for index, run in enumerate(runs):
        files |= {f"runs/{index}/{name}": content for name, content in run.files.items()}
    return files
