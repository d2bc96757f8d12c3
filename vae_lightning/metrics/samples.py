"""How reconstructions and samples look: torchmetrics, told what our images are."""

import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.errors import UserError, one_line

MISSING = "--features inception: the network is not here;"
STANDARD_KERNEL = 11  # pixels, that of a Gaussian with σ = 1.5 (Wang et al. 2004)


class ImageQuality(NamedTuple):
    """Of each of B reconstructions, (B,).

    Attributes:
        mse: the mean squared error over channels and pixels.
        psnr: 10 · log10(1 / mse), in dB; infinite for a perfect one.
        ssim: the structural similarity, at most 1. Wang et al. 2004.
    """

    mse: Tensor
    psnr: Tensor
    ssim: Tensor


def ssim_kernel(side: int) -> int:
    """The width of SSIM's window: 11 pixels as in the paper, or the largest odd number that an image's side holds."""
    return min(STANDARD_KERNEL, side - (side + 1) % 2)


def image_quality(x: Tensor, x_hat: Tensor) -> ImageQuality:
    """How near reconstructions x_hat come to images x, both (B, C, H, W) in [0, 1].

    Images of fewer than 11 pixels a side have a smaller window of SSIM, see `ssim_kernel`; do not compare it with that
    of larger ones.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    kernel = ssim_kernel(min(x.shape[2:]))
    sigma = 1.5 if kernel == STANDARD_KERNEL else (kernel - 1) / 7  # torchmetrics' window is 2 · round(3.5 σ) + 1 wide
    return ImageQuality(
        mse=(x - x_hat).square().mean((1, 2, 3)),
        psnr=peak_signal_noise_ratio(x_hat, x, data_range=1.0, reduction="none", dim=(1, 2, 3)),
        ssim=structural_similarity_index_measure(x_hat, x, sigma=sigma, data_range=1.0, reduction="none"),  # type: ignore[arg-type]
    )


class Distances(NamedTuple):
    """Between real and made images, in the features of a network.

    Attributes:
        fid: Fréchet's, of two Gaussians. Heusel et al. 2017. It falls with the number of images; compare equal ones.
        kid: MMD² with a cubic kernel, the mean over subsets; unbiased, also below 0. Bińkowski et al. 2018.
        kid_std: over the subsets.
    """

    fid: float
    kid: float
    kid_std: float


@torch.no_grad()
def feature_distances(
    real: Iterable[Tensor], made: Iterable[Tensor], features: nn.Module, *, n: int, seed: int = 0
) -> Distances:
    """FID and KID of batches of images, float (B, C, H, W) in [0, 1].

    Args:
        real: batches of data.
        made: batches of samples.
        features: images to features (B, F), with an attribute `num_features`: F.
        n: the number of images on either side, which KID's subsets, up to 1,000 images, must not exceed.
        seed: of KID's subsets.
    """
    # from `torchmetrics.image` they can be had with torch-fidelity alone, of which a network of one's own has no need
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    fid = FrechetInceptionDistance(feature=features)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*will save all extracted features")  # n x F: a few megabytes
        kid = KernelInceptionDistance(feature=features, subsets=100, subset_size=min(1000, max(2, n // 2)))
    for batches, is_real in ((real, True), (made, False)):
        for batch in batches:
            for metric in (fid, kid):
                metric.to(batch.device)
                metric.update(batch, real=is_real)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        mean, std = kid.compute()
    return Distances(fid.compute().item(), mean.item(), std.item())


class Inception(nn.Module):
    """The Inception-v3 of torch-fidelity, for grey and colour images in [0, 1] of any size: 2048 features.

    Raises:
        UserError: when torch-fidelity is not installed, or its weights are neither here nor to be downloaded.
    """

    num_features = 2048

    def __init__(self) -> None:
        super().__init__()
        if find_spec("torch_fidelity") is None:
            raise UserError(f"{MISSING} type pip install torch-fidelity, or --features classifier")
        from torchmetrics.image.fid import NoTrainInceptionV3

        try:
            self.network = NoTrainInceptionV3(name="inception-v3-compat", features_list=["2048"])
        except OSError as error:
            raise UserError(
                f"{MISSING} its weights cannot be had ({one_line(error)}); type --features classifier"
            ) from error

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, 1 or 3, H, W) to (B, 2048)."""
        return self.network((x * 255).byte().expand(-1, 3, -1, -1))
