"""Quality of reconstructions and samples, computed with torchmetrics."""

import math
import warnings
from importlib.util import find_spec
from typing import Any, NamedTuple

from torch import Tensor, nn

from vae_lightning.errors import UserError, one_line
from vae_lightning.metrics.arrays import as_tensor
from vae_lightning.pixels import to_8_bit
from vae_lightning.rng import isolated_rng

INCEPTION_UNAVAILABLE = "--features inception: the network is not available"
STANDARD_KERNEL = 11  # pixels, the window of a Gaussian with σ = 1.5 (Wang et al. 2004)


class ImageQuality(NamedTuple):
    """Quality of each of B reconstructions, (B,).

    Attributes:
        mse: the mean squared error over channels and pixels.
        psnr: 10 · log10(1 / mse), in dB; infinite for a perfect reconstruction.
        ssim: the structural similarity, at most 1. Wang et al. 2004. None for images with fewer than 3 pixels per side.
    """

    mse: Tensor
    psnr: Tensor
    ssim: Tensor | None


def ssim_kernel(side: int) -> int:
    """Return the width of SSIM's window: 11 pixels as in the paper, or the largest odd number that fits the image."""
    return min(STANDARD_KERNEL, side - (side + 1) % 2)


def image_quality(x: Any, x_hat: Any) -> ImageQuality:
    """Compare reconstructions x_hat with images x, both (B, C, H, W) in [0, 1].

    For images with fewer than 11 pixels per side, the window of SSIM is smaller; see `ssim_kernel`. Such values are not
    comparable with those of larger images.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    x, x_hat = as_tensor(x), as_tensor(x_hat)
    kernel = ssim_kernel(min(x.shape[2:]))
    sigma = 1.5 if kernel == STANDARD_KERNEL else (kernel - 1) / 7  # torchmetrics' window is 2 · round(3.5 σ) + 1 wide
    ssim: Any = None
    if kernel > 1:
        ssim = structural_similarity_index_measure(x_hat, x, sigma=sigma, data_range=1.0, reduction="none")
    return ImageQuality(
        mse=(x - x_hat).square().mean((1, 2, 3)),
        psnr=peak_signal_noise_ratio(x_hat, x, data_range=1.0, reduction="none", dim=(1, 2, 3)),
        ssim=ssim,
    )


def fid(real: Any, generated: Any) -> float:
    """Compute the Fréchet distance between Gaussians fitted to features of real and generated images.

    Heusel et al. 2017. It decreases with the number of images, so compare only values for equal numbers.

    Args:
        real: features of data, (N, F).
        generated: features of samples, (M, F).
    """
    # `torchmetrics.image` exports this only if torch-fidelity is installed, which custom features do not need.
    from torchmetrics.image.fid import FrechetInceptionDistance

    real, generated = as_tensor(real), as_tensor(generated)
    metric = FrechetInceptionDistance(feature=Precomputed(real.shape[1])).to(real.device)
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return metric.compute().item()


class KID(NamedTuple):
    """MMD² of features with a cubic kernel, over subsets of the images.

    Attributes:
        mean: averaged over the subsets. It is unbiased and can be negative.
        std: the standard deviation over the subsets.
    """

    mean: float
    std: float


def kid(real: Any, generated: Any, *, seed: int = 0) -> KID:
    """Compute the kernel distance between features of real and generated images. Bińkowski et al. 2018.

    Args:
        real: features of data, (N, F).
        generated: features of samples, (M, F).
        seed: of the 100 subsets, which have half as many images as the smaller side, at most 1,000.
    """
    from torchmetrics.image.kid import KernelInceptionDistance  # see `fid`

    real, generated = as_tensor(real), as_tensor(generated)
    subset_size = min(1000, max(2, min(len(real), len(generated)) // 2))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*will save all extracted features")  # n x F, only a few megabytes
        metric = KernelInceptionDistance(feature=nn.Identity(), subsets=100, subset_size=subset_size).to(real.device)
    metric.update(real, real=True)
    metric.update(generated, real=False)
    with isolated_rng(seed):
        mean, std = metric.compute()
    return KID(mean.item(), std.item())


class Precomputed(nn.Identity):
    """Passes features on to torchmetrics, which expects a network with an attribute `num_features`."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def classifier_score(logits: Any) -> float:
    """Return exp(E KL(p(y|x) || p(y))), the inception score with any classifier. Salimans et al. 2016.

    It lies between 1, if the predictions are the same for all samples, and the number of classes K, if each sample is
    assigned to one class with certainty and all classes are equally frequent. All samples are used at once.

    >>> import torch
    >>> classifier_score(torch.tensor([[100.0, 0.0], [0.0, 100.0]]))
    2.0

    Args:
        logits: of each sample, (N, K).
    """
    log_conditional = as_tensor(logits).double().log_softmax(1)
    log_marginal = log_conditional.logsumexp(0) - math.log(len(logits))
    kl = (log_conditional.exp() * (log_conditional - log_marginal)).sum(1)
    return kl.mean().exp().item()


class Inception(nn.Module):
    """The Inception-v3 network of torch-fidelity: 2048 features of gray or color images in [0, 1] of any size.

    Raises:
        UserError: if torch-fidelity is not installed, or its weights are neither cached nor can be downloaded.
    """

    num_features = 2048

    def __init__(self) -> None:
        super().__init__()
        if find_spec("torch_fidelity") is None:
            raise UserError(
                f"{INCEPTION_UNAVAILABLE}. Install it with pip install torch-fidelity, or use --features classifier."
            )
        from torchmetrics.image.fid import NoTrainInceptionV3

        try:
            self.network = NoTrainInceptionV3(name="inception-v3-compat", features_list=["2048"])
        except OSError as error:
            raise UserError(
                f"{INCEPTION_UNAVAILABLE}, its weights cannot be downloaded ({one_line(error)})."
                " Use --features classifier."
            ) from error

    def forward(self, x: Tensor) -> Tensor:
        """Return the features (B, 2048) of images (B, 1 or 3, H, W)."""
        return self.network(to_8_bit(x).expand(-1, 3, -1, -1))
