"""TensorBoard's embedding projector, to explore the latent space."""

from collections.abc import Sequence
from pathlib import Path

import lightning as L
import torch.nn.functional as F
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image
from torch import Tensor

from vae_lightning.figures.context import FigureContext
from vae_lightning.figures.isolated_eval import isolated_eval
from vae_lightning.figures.latent_space import posterior_means
from vae_lightning.figures.probe_images import data_module_of
from vae_lightning.models import ELBOModule
from vae_lightning.plotting.images import sprite

MAX_SPRITE_SIZE = 8192  # pixels per side, the maximum that TensorBoard shows

CONFIG = """embeddings {{
  tensor_name: "latent means"
  tensor_path: "projector/tensors.tsv"
  {metadata}
  sprite {{
    image_path: "projector/sprite.png"
    single_image_dim: {width}
    single_image_dim: {height}
  }}
}}
"""


class EmbeddingProjector(L.Callback):
    """Writes posterior means with their images and labels at the end of training.

    TensorBoard finds the directory `projector/` through `projector_config.pbtxt` in the run directory.

    Args:
        num_images: maximum number of images.
    """

    def __init__(self, *, num_images: int = 1000) -> None:
        self.num_images = num_images

    @rank_zero_only
    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the files, if there is a TensorBoard logger."""
        assert isinstance(pl_module, ELBOModule)
        pl_module.to(trainer.strategy.root_device)  # Lightning has moved it to the CPU
        ctx = FigureContext(pl_module, data_module_of(trainer, self))
        max_images = (MAX_SPRITE_SIZE // max(pl_module.image_shape[1:])) ** 2
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                with isolated_eval(pl_module):
                    mu, y = posterior_means(ctx, min(self.num_images, max_images))
                x = ctx.images(len(mu)).x
                names = ctx.class_names or ctx.data.label_names
                write_projection(Path(logger.log_dir), mu, x, y, names)


def write_projection(run_dir: Path, mu: Tensor, x: Tensor, y: Tensor | None, names: Sequence[str]) -> None:
    """Write the files that the projector reads.

    Args:
        run_dir: directory of the events.
        mu: one point per image, (N, D).
        x: (N, C, H, W) in [0, 1].
        y: classes (N,), attributes (N, A), or None.
        names: of the classes or attributes; empty if they have none.
    """
    folder = run_dir / "projector"
    folder.mkdir(parents=True, exist_ok=True)
    points = F.pad(mu, (0, max(0, 3 - mu.shape[1])))  # TensorBoard shows nothing with less than three dimensions
    write_table(folder / "tensors.tsv", points.tolist())
    Image.fromarray(sprite(x)).save(folder / "sprite.png")
    metadata = ""
    if y is not None:
        write_table(folder / "metadata.tsv", label_table(y, names))
        metadata = 'metadata_path: "projector/metadata.tsv"'
    height, width = x.shape[2:]
    (run_dir / "projector_config.pbtxt").write_text(CONFIG.format(metadata=metadata, width=width, height=height))


def label_table(y: Tensor, names: Sequence[str]) -> list[list[object]]:
    """Return one row per image: its class, or its attributes below a header (forbidden for a single column)."""
    if y.dim() == 1:
        return [[names[k] if names else k] for k in y.tolist()]
    header: list[object] = list(names) or list(range(y.shape[1]))
    return [header, *y.tolist()] if len(header) > 1 else y.tolist()


def write_table(file: Path, rows: Sequence[Sequence[object]]) -> None:
    """Write rows of tab-separated values."""
    file.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
