"""The very deep VAE: a hierarchy of maps of latents at several resolutions."""

from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributions import DiagonalGaussian, ForwardPass, Posterior
from vae_lightning.distributions.posterior import LOGVAR_BOUNDS, noise_like, promote_to_float32, sample_noise
from vae_lightning.errors import UserError
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.hierarchical import concatenate
from vae_lightning.models.inputs import repeat_rows
from vae_lightning.networks import Ladder, Network
from vae_lightning.networks.ladder import TopDown
from vae_lightning.regularizers import GroupedKL
from vae_lightning.types import Shape


class VDVAEPosterior(Posterior):
    """q(z_l | z_<l, x) of each group, from the state of the top-down network and the features of the bottom-up one.

    Args:
        heads: the network of each group, the top group first.
        levels: the level of each group.
        residual: let the heads output differences to the mean and log σ² of the prior. Vahdat & Kautz 2020,
            section 3.2.
    """

    def __init__(self, heads: nn.ModuleList, levels: list[int], residual: bool) -> None:
        super().__init__()
        self.heads, self.levels, self.residual = heads, levels, residual

    def forward(
        self, features: list[Tensor], condition: Tensor | None, noise: Tensor, decoder: TopDown
    ) -> tuple[DiagonalGaussian, DiagonalGaussian, Tensor, Tensor]:
        """Infer the groups from the top down.

        Args:
            features: of each level, (B, channels, h, w).
            condition: (B, K), or None.
            noise: standard normal, (B, D); zeros for the means.
            decoder: the top-down network, which contains the prior.

        Returns:
            q(z_l|z_<l, x), p(z_l|z_<l) and z, each with all groups concatenated, (B, D), and the decoder's output.
        """
        qs: list[DiagonalGaussian] = []
        ps: list[DiagonalGaussian] = []
        z: list[Tensor] = []
        noises = noise.split(decoder.sizes, dim=1)

        def draw(h: Tensor, prior: Tensor) -> Tensor:
            group = len(z)
            q = gaussian(self.heads[group](torch.cat([h, features[self.levels[group]]], dim=1)))
            p = gaussian(prior)
            if self.residual:
                q = DiagonalGaussian(p.mu + q.mu, p.logvar + q.logvar)
            qs.append(q)
            ps.append(p)
            z.append(q.rsample(noises[group]))
            return z[-1]

        output = decoder.run(noise.shape[0], condition, draw)
        return concatenate(qs), concatenate(ps), torch.cat(z, dim=1), output


def gaussian(parameters: Tensor) -> DiagonalGaussian:
    """Convert maps (B, 2C, h, w), means and log σ², to Gaussians of C·h·w latents; log σ² is clamped."""
    mu, logvar = promote_to_float32(parameters).flatten(1).chunk(2, dim=1)
    return DiagonalGaussian(mu, F.hardtanh(logvar, *LOGVAR_BOUNDS))


class VDVAE(ELBOModule):
    """distortion + Σ_l KL(q(z_l|z_<l, x) || p(z_l|z_<l)) with maps of latents at several resolutions. Child 2021.

    The top-down network computes the prior of each group from the groups above. Inference runs through the same
    network, with the features of a bottom-up network. `rate_group_1` is the KL of the top group, and so on; they sum to
    the rate.

    Args:
        image_shape: (C, H, W).
        latent_dim: number of latents of each group at each position of its map.
        network: a `Ladder`, which also sets the number of groups.
        residual_posterior: parametrize q(z_l|z_<l, x) relative to p(z_l|z_<l), as Vahdat & Kautz 2020, section 3.2.
        **kwargs: the others of `ELBOModule`.

    Raises:
        UserError: if the network is not a `Ladder`.
    """

    posterior: VDVAEPosterior
    decoder: TopDown
    default_network = Ladder
    multi_resolution = True
    requires_standard_normal = True  # since the top-down network contains the priors of all groups
    supports_latent_prior = False  # the decoder contains the prior

    def __init__(
        self,
        *,
        image_shape: Shape,
        latent_dim: int = 8,
        network: Network | None = None,
        residual_posterior: bool = False,
        **kwargs: Any,
    ) -> None:
        network = network or type(self).default_network()
        if not isinstance(network, Ladder):
            raise UserError("model/network: VDVAE requires latents at several resolutions. Set model/network=ladder.")
        sizes = [prod(shape) for shape in network.group_shapes(image_shape, latent_dim)]
        heads = network.posterior_heads(image_shape, latent_dim)
        levels = network.group_levels
        super().__init__(
            regularizer=GroupedKL(beta=1.0, group_sizes=sizes),
            image_shape=image_shape,
            latent_dim=latent_dim,
            network=network,
            own_posterior=lambda *_: VDVAEPosterior(heads, levels, residual_posterior),
            **kwargs,
        )

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """Run the model on images and labels. One top-down pass draws the latents and decodes them."""
        x = self.as_images(x)
        qz, pz, z, output = self.top_down(x, y)
        return ForwardPass(x, y, qz, pz, z, self.likelihood(promote_to_float32(output)))

    def infer(
        self, x: Tensor, y: Tensor | None = None, num_samples: int = 1, noise: Tensor | None = None
    ) -> tuple[DiagonalGaussian, DiagonalGaussian, Tensor]:
        """Encode images, and draw latents; q and p of each group are conditioned on the draws of the groups above."""
        return self.top_down(x, y, num_samples, noise)[:3]

    def encode(self, x: Tensor, y: Tensor | None = None) -> DiagonalGaussian:
        """Return q(z_l|z_<l, x) of all groups, given the means of the groups above."""
        return self.top_down(x, y, noise=self.decoder.start.new_zeros(x.shape[0], self.latent_dim))[0]

    def top_down(
        self, x: Tensor, y: Tensor | None = None, num_samples: int = 1, noise: Tensor | None = None
    ) -> tuple[DiagonalGaussian, DiagonalGaussian, Tensor, Tensor]:
        """Do what `infer` does; also return the decoder's output."""
        condition = self.condition(y)
        features = [repeat_rows(f, num_samples) for f in self.encoder(self.as_images(x), condition)]
        if noise is None:
            noise = noise_like(self.decoder.start.new_empty(num_samples * x.shape[0], self.latent_dim))
        return self.posterior(features, repeat_rows(condition, num_samples), noise, self.decoder)

    def sample_prior(
        self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None, temperature: float = 1.0
    ) -> Tensor:
        """Sample n latents from the prior, from the top down, (n, D).

        Args:
            n: number of samples.
            y: labels of a conditional model.
            generator: for reproducible samples.
            temperature: factor on the standard deviation of every group. Below 1, samples are closer to the modes.
        """
        noise = temperature * sample_noise(n, self.latent_dim, self.decoder.start, generator)
        noises = iter(noise.split(self.decoder.sizes, dim=1))
        z: list[Tensor] = []

        def draw(h: Tensor, prior: Tensor) -> Tensor:
            z.append(gaussian(prior).rsample(next(noises)))
            return z[-1]

        self.decoder.run(n, self.condition(y), draw)
        return torch.cat(z, dim=1)
