"""How well a score separates anomalous images from normal ones, and a score of how simple an image is."""

from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy.stats import rankdata
from torch import Tensor

from vae_lightning.errors import UserError
from vae_lightning.metrics.arrays import as_array, as_tensor
from vae_lightning.pixels import to_8_bit


class AUROC(NamedTuple):
    """Area under the ROC curve: the probability that an anomaly has a higher score than a normal image.

    Attributes:
        value: 0.5 for an uninformative score, 1 for one that separates both. Ties count half.
        error: its standard error, 0 if the scores are separated; NaN with a single score on either side.
    """

    value: float
    error: float


def auroc(normal: Any, anomalous: Any) -> AUROC:
    """Compare the scores of normal images (N,) with those of anomalies (M,), which should be higher.

    The error is that of DeLong et al. 1988: var(V₁)/M + var(V₀)/N, where V is the AUROC of a single score on one side.

    >>> auroc([1, 2, 3], [2, 4]).value
    0.75

    Raises:
        UserError: if there are no scores on one side, or some are NaN.
    """
    a, b = as_array(normal).astype(np.float64), as_array(anomalous).astype(np.float64)
    if not (len(a) and len(b)) or np.isnan(a).any() or np.isnan(b).any():
        raise UserError("auroc: needs at least one score on each side, and no NaN.")
    ranks = rankdata(np.concatenate([a, b]))
    above = 1 - (ranks[: len(a)] - rankdata(a)) / len(b)  # (N,), fraction of anomalies above each normal score
    below = (ranks[len(a) :] - rankdata(b)) / len(a)  # (M,), fraction of normal scores below each anomaly
    variance = sum(v.var(ddof=1) / len(v) if len(v) > 1 else np.nan for v in (above, below))
    return AUROC(below.mean().item(), float(np.sqrt(variance)))


def png_bits(x: Any) -> Tensor:
    """Return the size of each image as a PNG file in bits, float64 (N,), an upper bound on its Kolmogorov complexity.

    Args:
        x: uint8 (N, C, H, W), or floats in [0, 1], which are rounded. Three channels are compressed as colors; any
            other number one below the other, in gray.
    """
    x = to_8_bit(as_tensor(x).cpu())
    pixels = x.permute(0, 2, 3, 1) if x.shape[1] == 3 else x.flatten(1, 2)
    return torch.tensor([8.0 * png_bytes(image) for image in pixels.contiguous().numpy()], dtype=torch.float64)


def png_bytes(pixels: np.ndarray) -> int:
    """Return the size of uint8 pixels, (H, W) or (H, W, 3), as a PNG file in bytes."""
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return file.tell()
