"""Weakly supervised VAEs, which learn from pairs of images that share most factors of variation."""

import math
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import DiagonalGaussian, ForwardPass
from vae_lightning.distributions.posterior import precision_weighted
from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule
from vae_lightning.regularizers import KL, kl_per_latent


class AdaGVAE(ELBOModule):
    """distortion + β · KL for pairs of images, whose posteriors agree in the latents that seem to be shared.

    Ada-GVAE of Locatello et al. 2020. A latent seems to be shared if KL(q(z_d|x_1) || q(z_d|x_2)) is less than halfway
    between the smallest and the largest of these divergences over d. If the number of factors in which pairs differ is
    known, all latents are shared but as many, those with the largest divergences. In shared latents, both posteriors
    are replaced by one Gaussian, whose mean is the mean of their means, and whose variance is the mean of their
    variances.

    In training, each image of a batch is paired with one that differs in some of its factors, and losses are averaged
    over both. Validation and test use each image alone, so their nelbo is that of a VAE.

    Args:
        beta: β >= 0.
        changed_latents: number of latents that are not shared, from 1 to D - 1, or None for those above the threshold.
        conditional: must be false, since the labels of pairs are factors.
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if the model is conditional, or there are not more latents than `changed_latents`.
    """

    requires_diagonal_gaussian = True  # for the KL of two images

    def __init__(
        self, *, beta: float = 1.0, changed_latents: int | None = None, conditional: bool = False, **kwargs: Any
    ) -> None:
        if conditional:
            raise UserError(
                f"model.conditional=true: {type(self).__name__} learns from pairs without classes. Set"
                " model.conditional=false."
            )
        super().__init__(regularizer=KL(beta=beta), **kwargs)
        self.changed_latents = changed_latents
        if changed_latents is not None and not 1 <= changed_latents < self.latent_dim:
            raise UserError(
                f"model.changed_latents={changed_latents}: must be from 1 to {self.latent_dim - 1}, one less than"
                " model.latent_dim, or null."
            )

    def combine(self, a: DiagonalGaussian, b: DiagonalGaussian) -> DiagonalGaussian:
        """Return the Gaussian that replaces the posteriors of a pair in shared latents, (B, D)."""
        return DiagonalGaussian((a.mu + b.mu) / 2, torch.logaddexp(a.logvar, b.logvar) - math.log(2))

    def check_data(self, data: Any) -> None:
        """Check that the data has pairs.

        Raises:
            UserError: if the data does not suit the model, or has no pairs.
        """
        super().check_data(data)
        if getattr(data, "pairs", None) is None:
            raise UserError(
                f"data.pairs=null: {type(self).__name__} learns from pairs of images. Set data=sprites or"
                " data=dsprites, and data.pairs=1."
            )

    def training_objective(self, batch: Any) -> dict[str, Tensor]:
        """Compute the terms of pairs of images: those of the batch, and a random partner for each."""
        partners = self.data_module.random_partners(batch[1])
        x = torch.cat([self.as_images(batch[0]), self.as_images(partners.x)])
        qz, is_shared = self.share(self.encode(x))
        z = qz.rsample()
        terms = self.training_terms(ForwardPass(x, None, qz, self.prior(self.encode, None), z, self.decode(z)))
        return {**terms, "shared_latents": is_shared.sum(1).float().mean()}

    def share(self, q: DiagonalGaussian) -> tuple[DiagonalGaussian, Tensor]:
        """Combine the posteriors of pairs in their shared latents.

        Args:
            q: of the first images, then of their partners, (2 B, D).

        Returns:
            The posteriors, (2 B, D), and which latents are shared, bool (B, D).
        """
        first, second = (DiagonalGaussian(*halves) for halves in zip(q.mu.chunk(2), q.logvar.chunk(2), strict=True))
        divergence = kl_per_latent(first, second)
        if self.changed_latents is None:
            low, high = divergence.aminmax(dim=1, keepdim=True)
            is_shared = divergence < (low + high) / 2
        else:
            changed = divergence.topk(self.changed_latents, dim=1).indices
            is_shared = torch.ones_like(divergence, dtype=torch.bool).scatter(1, changed, False)
        combined = self.combine(first, second)
        values = [
            torch.where(is_shared, c, t.unflatten(0, (2, -1))).flatten(0, 1) for c, t in zip(combined, q, strict=True)
        ]
        return DiagonalGaussian(*values), is_shared


class AdaMLVAE(AdaGVAE):
    """The same with a normalized product of densities. Ada-ML-VAE of Locatello et al. 2020.

    The Gaussian in a shared latent has the precision-weighted mean, and the harmonic mean of the variances: the product
    of the square roots of both densities, which equals them if they are equal, as in the authors' code.

    Args:
        **kwargs: those of `AdaGVAE`.
    """

    def combine(self, a: DiagonalGaussian, b: DiagonalGaussian) -> DiagonalGaussian:
        """Return the Gaussian that replaces the posteriors of a pair in shared latents, (B, D)."""
        mu, logvar = precision_weighted(a, b)
        return DiagonalGaussian(mu, logvar + math.log(2))
