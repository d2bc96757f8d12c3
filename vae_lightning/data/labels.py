"""Labels of some images only."""

import torch
from torch import Tensor

from vae_lightning.errors import UserError

UNKNOWN = -1  # the label of an image whose class is not given


def labeled_subset(y: Tensor | None, per_class: int, order: Tensor) -> Tensor:
    """Keep the labels (N,) of the first `per_class` images of each class in an order, and replace others by `UNKNOWN`.

    Raises:
        UserError: if the labels are not classes, or a class has fewer images.
    """
    if y is None or y.dim() != 1:
        raise UserError(
            f"data.labeled_per_class={per_class}: the labels of these images are not classes. Set"
            " data.labeled_per_class=null."
        )
    classes, counts = y[y != UNKNOWN].unique(return_counts=True)
    if int(fewest := counts.min()) < per_class:
        raise UserError(
            f"data.labeled_per_class={per_class}: the smallest class has {fewest} labeled training images. Set"
            f" {fewest} or less."
        )
    kept = torch.cat([order[y[order] == k][:per_class] for k in classes])
    return torch.full_like(y, UNKNOWN).index_copy(0, kept, y[kept])
