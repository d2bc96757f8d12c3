"""The model under evaluation, and the images that it is asked about."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_lightning.data import Batch
from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.errors import UserError
from vae_lightning.evaluation.settings import Settings
from vae_lightning.finished import FinishedRun
from vae_lightning.metrics.repeats import Track
from vae_lightning.models import HVAE, ELBOModule
from vae_lightning.regularizers import kl_per_latent

BATCH = 250  # images a pass of what is asked once of each image


class Encoded(NamedTuple):
    """What the encoder says of N images, on the CPU.

    Attributes:
        mean: of the posterior, (N, D).
        z: one draw from it, (N, D); the code itself where there is nothing to draw.
        logvar: log σ², (N, D); None where the posterior is no Gaussian. In a hierarchy, given the means of the groups
            above, as the mean is.
        kl: to the prior, of each latent, (N, D); None where it has no closed form.
    """

    mean: Tensor
    z: Tensor
    logvar: Tensor | None
    kl: Tensor | None


class Subject:
    """A finished run's model on a device, the images of one split in random order, and how much to ask.

    Args:
        run: the run.
        settings: how much to ask.
        device: where to compute.
        progress: (range, description) -> the range with a progress bar.
    """

    def __init__(self, run: FinishedRun, settings: Settings, device: torch.device, progress: Any) -> None:
        self.data, self.settings, self.device = run.data, settings, device
        self.model: ELBOModule = run.model.to(device)
        self.progress = progress
        self.x, self.y = self.draw_images(settings.split, settings.images)

    def draw_images(self, split: str, n: int) -> Batch:
        """At most n images of a split in random order, binarised where the run's were.

        Raises:
            UserError: when there are none.
        """
        x, y = self.data.splits[split]
        if not len(x):
            raise UserError(f"--split={split}: this run has no {split} images; type --split test")
        index = torch.randperm(len(x), generator=torch.Generator().manual_seed(self.settings.seed))[:n]
        with torch.random.fork_rng():
            torch.manual_seed(self.settings.seed)
            return self.data.on_after_batch_transfer(Batch(x[index], None if y is None else y[index]), 0)

    def track(self, description: str) -> Track:
        """A progress bar for what is described."""
        return lambda steps: self.progress(steps, description)

    @property
    def name(self) -> str:
        """That of the model's class."""
        return type(self.model).__name__

    @property
    def is_hierarchy(self) -> bool:
        """Whether a latent's posterior depends on other latents."""
        return isinstance(self.model, HVAE)

    @property
    def is_gaussian(self) -> bool:
        """Whether q(z|x) has a density."""
        return self.encoded.logvar is not None

    @property
    def is_binary(self) -> bool:
        """Whether every pixel is black or white."""
        return bool(((self.x == 0) | (self.x == 255)).all())

    def batches(self, images: Batch) -> Iterator[Batch]:
        """The images on the device, batch by batch."""
        x, y = images
        for index in torch.arange(len(x)).split(BATCH):
            yield Batch(x[index], None if y is None else y[index]).to(self.device)

    @cached_property
    def encoded(self) -> Encoded:
        """What the encoder says of the images."""
        return encode(self.model, self.batches(Batch(self.x, self.y)), self.settings.seed)

    def weigh(self, indices: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """What `log_likelihood` asks for: log p(x|z) and log p(z) - log q(z|x) of the draws of noise, (b, k)."""
        k = noise.shape[1]
        x = self.model.as_images(self.x[indices].to(self.device))
        y = None if self.y is None else self.y[indices].to(self.device)
        qz, pz, z = draw(self.model, x, y, noise)
        log_px = self.model.decode(z, each(y, k)).log_prob(x.repeat_interleave(k, 0))
        return log_px.view(-1, k), (pz.log_prob(z) - qz.log_prob(z)).view(-1, k)

    def from_prior(self, n: int) -> Tensor:
        """Draw n latents from the prior, (n, D) on the CPU; for a conditional model, with the labels of n images."""
        generator = torch.Generator().manual_seed(2 * self.settings.seed + 1)  # its own: `encode` has the even ones
        return self.model.draw(n, None if self.y is None else self.y[:n].to(self.device), generator).cpu()


@torch.no_grad()
def encode(model: ELBOModule, batches: Iterable[Batch], seed: int) -> Encoded:
    """What a model's encoder says of batches of images on its device."""
    generator = torch.Generator().manual_seed(2 * seed)
    means, draws, logvars, kls = [], [], [], []
    for x, y in batches:
        q = model.encode(x, y)
        means.append(q.mean.cpu())
        if not isinstance(q, DiagonalGaussian):
            continue
        qz, pz, z = draw(model, x, y, torch.randn(len(x), 1, q.mu.shape[1], generator=generator))
        draws.append(z.cpu())
        logvars.append(q.logvar.cpu())
        if isinstance(pz, DiagonalGaussian):
            kls.append(kl_per_latent(qz, pz).cpu())
    mean = torch.cat(means)
    return Encoded(
        mean,
        z=torch.cat(draws) if draws else mean,
        logvar=torch.cat(logvars) if logvars else None,
        kl=torch.cat(kls) if kls else None,
    )


def draw(model: ELBOModule, x: Tensor, y: Tensor | None, noise: Tensor) -> tuple[Any, Any, Tensor]:
    """The posterior and the prior of each draw, and the draws, (b · k, D), k of each image in a row.

    Args:
        model: one with Gaussian posteriors.
        x: images, (b, C, H, W), on its device.
        y: their labels, or None.
        noise: standard normal, (b, k, D).
    """
    k, noise = noise.shape[1], noise.flatten(0, 1).to(x.device)
    if isinstance(model, HVAE):  # each group is drawn given those above it
        evidence = [repeated(q, k) for q in ELBOModule.encode(model, x, y)]
        groups = iter(noise.chunk(len(evidence), dim=1))
        return model.posterior.infer(evidence, lambda q: moved(q, next(groups)))
    qz = repeated(model.encode(x, y), k)
    return qz, model.prior(model.encode, model.condition(each(y, k))), moved(qz, noise)


def repeated(q: DiagonalGaussian, k: int) -> DiagonalGaussian:
    """Each posterior of a batch k times in a row."""
    return DiagonalGaussian(q.mu.repeat_interleave(k, 0), q.logvar.repeat_interleave(k, 0))


def each(y: Tensor | None, k: int) -> Tensor | None:
    """Each label k times in a row."""
    return None if y is None else y.repeat_interleave(k, 0)


def moved(q: DiagonalGaussian, noise: Tensor) -> Tensor:
    """z = mu + σ·noise."""
    return q.mu + torch.exp(0.5 * q.logvar) * noise
