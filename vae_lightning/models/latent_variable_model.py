"""The parts of a variational autoencoder, and the operations on them."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import lightning as L
import torch
from lightning.pytorch.trainer.states import TrainerStatus
from torch import Tensor, nn

from vae_lightning.config.serialization import Configurable
from vae_lightning.distributions import (
    Bernoulli,
    ForwardPass,
    GaussianPosterior,
    Likelihood,
    Posterior,
    Prior,
    Quantizer,
    StandardNormal,
)
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError
from vae_lightning.models.inputs import (
    check_labels_are_tensor,
    condition_size,
    repeat_rows,
    to_condition,
    to_unit_interval,
)
from vae_lightning.networks import Conv, Network
from vae_lightning.networks.row_blocks import apply_in_blocks
from vae_lightning.rng import seeded_by
from vae_lightning.types import LatentShape, Shape, num_latents


class LatentVariableModel(Configurable, L.LightningModule):
    """p(x|z), p(z) and q(z|x): encoding, decoding, sampling. `ELBOModule` trains them.

    Args:
        image_shape: (C, H, W).
        num_classes: K, the number of classes or attributes, or None for unlabeled data.
        conditional: condition encoder and decoder on the label: q(z|x, y) and p(x|z, y).
        latent_dim: D; or C, the latents at each position of a map, if the network is a `SpatialNetwork`.
        network: builds encoder and decoder; None for a `default_network`.
        likelihood: maps the decoder's output to p(x|z); None for a `default_likelihood`.
        posterior: (num_features, latent_shape) -> the module that maps features to q(z|x); None for a
            `GaussianPosterior`.
        prior: (latent_dim, latent_shape, condition_dim, image_shape, posterior) -> the module that returns p(z).
        init_std: initialize the weights and biases of all linear and convolutional layers from N(0, init_std²); None
            keeps torch's initialization.
        own_posterior: builds the posterior of a model that determines it; `posterior` must be None then.

    Attributes:
        latent_shape: D, or the shape (C, h, w) of a map of latents.
        latent_dim: the number of latents, D = C·h·w for a map. All methods take and return latents as vectors (B, D).

    Raises:
        UserError: if the model is conditional but the data has no labels, or does not support the prior, posterior,
            network or likelihood.
    """

    default_network: ClassVar[Callable[[], Network]] = Conv
    default_likelihood: ClassVar[Callable[[], Likelihood]] = Bernoulli
    requires_vector: ClassVar[bool] = False  # whether latents that form a map are not supported
    multi_resolution: ClassVar[bool] = False  # whether a network with latents at several resolutions is supported
    compares_images: ClassVar[bool] = False  # whether the loss depends on decoded images, besides their likelihood
    supports_fitted_scale: ClassVar[bool] = True  # whether all decoded images count equally in the objective
    has_checked_images: bool = False  # those of the first batch of a Trainer

    def __init__(
        self,
        *,
        image_shape: Shape,
        num_classes: int | None = None,
        conditional: bool = False,
        latent_dim: int = 10,
        network: Network | None = None,
        likelihood: Likelihood | None = None,
        posterior: Callable[[int, LatentShape], Posterior] | None = None,
        prior: Callable[..., Prior] = StandardNormal,
        init_std: float | None = None,
        own_posterior: Callable[[int, LatentShape], Posterior] | None = None,
    ) -> None:
        super().__init__()
        self.condition_dim = condition_size(conditional, num_classes)
        network = network or type(self).default_network()
        likelihood = likelihood or type(self).default_likelihood()
        self.check_arguments(image_shape, latent_dim, network, likelihood)
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.latent_shape = network.latent_shape(self.image_shape, latent_dim)
        self.latent_dim = num_latents(self.latent_shape)
        if self.requires_vector and not isinstance(self.latent_shape, int):
            raise UserError(
                f"model/network: {type(self).__name__} requires a vector of latents, not a map. Set"
                " model/network=resnet."
            )
        self.network = network
        self.encoder = network.encoder(self.image_shape, self.condition_dim)
        if own_posterior and posterior:
            raise UserError(f"model/posterior: {type(self).__name__} has its own posterior. Leave it out.")
        build_posterior = own_posterior or posterior or GaussianPosterior
        self.posterior = build_posterior(self.encoder.num_features, self.latent_shape)
        self.prior = self.build_prior(prior)
        if not self.prior.has_density:
            raise UserError(
                f"model/prior: {type(self.prior).__name__} has no density. Learn it for a trained run: prior_of=RUN."
            )
        output_shape = (likelihood.output_channels(channels), height, width)
        self.decoder = network.build_decoder(self.decoded_shape, self.condition_dim, output_shape)
        self.likelihood = likelihood
        if init_std is not None:
            for part in (self.encoder, self.posterior, self.decoder):
                part.apply(partial(init_layer, std=init_std))

    def check_arguments(self, image_shape: Shape, latent_dim: int, network: Network, likelihood: Likelihood) -> None:
        """Check the arguments, and that this model supports the network and the likelihood.

        Raises:
            UserError: if it does not.
        """
        if not isinstance(network, Network):
            raise UserError(f"network={network!r}: must be an object such as networks.Conv().")
        if not isinstance(likelihood, Likelihood):
            raise UserError(f"likelihood={likelihood!r}: must be an object such as distributions.Bernoulli().")
        if latent_dim < 1:
            raise UserError(f"model.latent_dim={latent_dim}: must be an integer >= 1.")
        if len(image_shape) != 3:
            raise UserError(f"image_shape={tuple(image_shape)}: must be (channels, height, width).")
        if network.multi_resolution and not self.multi_resolution:
            raise UserError(
                f"model/network: {type(self).__name__} does not support latents at several resolutions. Set"
                " model=vdvae, or model/network=resnet."
            )
        if likelihood.fits_batch and not self.supports_fitted_scale:
            raise UserError(
                f"model.likelihood.scale_type=optimal: {type(self).__name__} also decodes images that hardly count in"
                " its bound, and the scale would be fitted to them. Set model.likelihood.scale_type=model."
            )
        if likelihood.is_autoregressive and self.compares_images:
            raise UserError(
                f"model/likelihood: {type(self).__name__} requires the gradient of decoded images, which an"
                " autoregressive likelihood does not have. Set model/likelihood=bernoulli."
            )

    def build_prior(self, prior: Callable[..., Prior]) -> Prior:
        """Build the prior for the shapes and the posterior of this model.

        Raises:
            UserError: if it does not support them.
        """
        latent_shape, posterior = self.modeled_by_prior
        built = prior(
            latent_dim=num_latents(latent_shape),
            latent_shape=latent_shape,
            condition_dim=self.condition_dim,
            image_shape=self.image_shape,
            posterior=posterior,
        )
        built.check(self.encoder, posterior)
        if built.has_density and built.support != posterior.support:
            raise UserError(
                f"model/prior: {type(built).__name__} is a distribution of {built.support},"
                f" but {type(posterior).__name__} is one of {posterior.support}. {posterior.suggest_prior()}"
            )
        return built

    @property
    def modeled_by_prior(self) -> tuple[LatentShape, Posterior]:
        """Shape and posterior of the latents that `prior` models: by default all."""
        return self.latent_shape, self.posterior

    @property
    def decoded_shape(self) -> LatentShape:
        """Shape of the latents that the decoder receives, the last ones of z: by default all."""
        return self.latent_shape

    @property
    def noise_dim(self) -> int:
        """Number of standard normal variables that `infer` turns into a draw."""
        return self.latent_dim

    @property
    def has_densities(self) -> bool:
        """Whether q(z|x) and p(z) have densities, not only bounds on them, so log p(x) can be estimated."""
        return self.posterior.has_density and self.prior.has_density and not self.prior.is_bound

    @property
    def has_rate(self) -> bool:
        """Whether the model has a KL to p(z): q(z|x) and p(z) have densities, or are distributions of codes."""
        return self.prior.has_density and (self.posterior.has_density or self.prior.is_discrete)

    @property
    def encoder_is_given_labels(self) -> bool:
        """Whether q(z|x, y) depends on the labels, so that predicting them from z tells nothing about the images."""
        return bool(self.condition_dim)

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """Run the model on images (B, C, H, W), uint8 or float in [0, 1], and labels.

        Returns:
            all that the objective needs.
        """
        x = self.as_images(x)
        qz, pz, z = self.infer(x, y)
        return ForwardPass(x, y, qz, pz, z, self.decode(z, y), self.condition(y))

    def infer(
        self, x: Tensor, y: Tensor | None = None, num_samples: int = 1, noise: Tensor | None = None
    ) -> tuple[Any, Any, Tensor]:
        """Encode images, and draw latents from their posteriors.

        Args:
            x: images, (B, C, H, W).
            y: their labels.
            num_samples: K, the number of draws per image. The posterior must have a density if K > 1.
            noise: standard normal, (K·B, noise_dim); None to draw it.

        Returns:
            q(z|x), p(z) and z, each with K·B rows, the batch K times in a row.
        """
        qz, z = self.draw(x, y, num_samples, noise)
        if num_samples > 1:
            y = repeat_rows(y, num_samples)
        return qz, self.prior(self.encode, self.condition(y)), z

    def draw(self, x: Tensor, y: Tensor | None, num_samples: int, noise: Tensor | None) -> tuple[Any, Tensor]:
        """Return q(z|x) and z, without the prior; see `infer`."""
        qz = self.encode(x, y)
        if num_samples > 1:
            qz = qz.repeat(num_samples)
        return qz, qz.rsample(noise)

    @classmethod
    def load_from_checkpoint(cls, *args: Any, **kwargs: Any) -> Any:
        """Raise an error: Lightning's method needs all arguments of the model, which our checkpoints hold."""
        raise UserError(f"{cls.__name__}.load_from_checkpoint: not available. Use vae_lightning.load(path).")

    def encode(self, x: Tensor, y: Tensor | None = None) -> Any:
        """Encode images (B, C, H, W), uint8 or float in [0, 1], to q(z|x).

        Raises:
            UserError: if the shape is wrong, or floats lie outside [0, 1].
        """
        return self.posterior(self.encoder(self.as_images(x), self.condition(y)))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Any:
        """Decode latents (B, D) to p(x|z), whose `mean` is the image.

        Raises:
            UserError: if z is not a tensor, or the number of latents is wrong.
        """
        if not isinstance(z, Tensor):
            raise UserError(f"decode: z must be a tensor, got {type(z).__name__}. Pass torch.as_tensor(z).")
        if z.dim() != 2 or z.shape[1] != self.latent_dim:
            raise UserError(f"decode: z must have shape (B, {self.latent_dim}), got {tuple(z.shape)}.")
        condition = self.condition(y)
        z = z.to(self.dtype)[:, -num_latents(self.decoded_shape) :]
        output = apply_in_blocks(self.decoder, z if condition is None else torch.cat([z, condition], dim=1))
        return self.likelihood(promote_to_float32(output))

    @torch.no_grad()
    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Reconstruct images (B, C, H, W) from the posterior mean; the result is in [0, 1]."""
        return self.decode(self.encode(x, y).mean, y).mean

    @torch.no_grad()
    def sample(
        self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None, **options: Any
    ) -> Tensor:
        """Sample n images from the model, (n, C, H, W) in [0, 1].

        Args:
            n: number of images.
            y: labels, (n,) or (n, K), of a conditional model.
            generator: for reproducible samples.
            **options: of `sample_prior`, such as the temperature of a `VDVAE`.

        Raises:
            UserError: if labels are missing, or given to a model that is not conditional.
        """
        check_labels_are_tensor(y)
        if y is not None and not self.condition_dim:
            raise UserError("sample: this model is not conditional. Leave out y.")
        if y is not None and (y.dim() == 0 or len(y) != n):
            raise UserError(f"sample: y has {len(y) if y.dim() else 1} labels for n={n} images. Pass one each.")
        return self.generate(self.sample_prior(n, y, generator, **options), y, generator)

    def generate(self, z: Tensor, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Return the images of latents (B, D) as samples show them, (B, C, H, W) in [0, 1].

        They are the means of p(x|z), as papers show them. If the likelihood is autoregressive, they are draws.
        """
        px = self.decode(z, y)
        if not self.likelihood.is_autoregressive:
            return px.mean
        with seeded_by(generator):
            return px.sample().clamp(0, 1)

    def log_px(
        self,
        x: Tensor,
        y: Tensor | None = None,
        *,
        samples: int = 5000,
        chunk: int = 5000,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Estimate log p(x) ≈ log 1/K Σ_k p(x, z_k) / q(z_k|x) of each image, float64 (B,), in nats.

        Burda et al. 2016, Eq. 8. The expectation of the estimate is at most log p(x), and increases with K. It has no
        gradient.

        Args:
            x: images, (B, C, H, W), uint8 or float in [0, 1].
            y: labels of a conditional model.
            samples: K, the number of draws per image.
            chunk: draws per pass, over all of its images, which limits memory. Another value draws other numbers.
            generator: for reproducible results.

        Raises:
            UserError: if an argument is invalid, q(z|x) or p(z) has no density, or the model is in training mode.
        """
        from vae_lightning.models.log_px import log_px  # which imports this module

        return log_px(self, x, y, samples=samples, chunk=chunk, generator=generator)

    def impute(
        self,
        x: Tensor,
        mask: Tensor,
        y: Tensor | None = None,
        *,
        method: str = "gibbs",
        samples: int = 1000,
        draw: bool = False,
        chunk: int = 500,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Fill in missing pixels of images; the result is (B, C, H, W) in [0, 1], with the observed pixels unchanged.

        `gibbs` is pseudo-Gibbs sampling (Rezende et al. 2014, appendix F), for every model; its limit is as good as
        q(z|x). `metropolis` (Mattei & Frellsen 2018) and `importance` (Mattei & Frellsen 2019) converge to
        p(x_mis | x_obs), but need densities of q(z|x) and p(z). Importance sampling draws z given zeros for missing
        pixels, so it needs many samples if the encoder was not trained with such images.

        Args:
            x: images, uint8 or float in [0, 1]; missing pixels may have any value.
            mask: True for observed pixels, bool, broadcastable to x.
            y: labels of a conditional model.
            method: `gibbs`, `metropolis` or `importance`.
            samples: steps of the chain, or number of importance samples per image.
            draw: return a draw from p(x_mis | x_obs) instead of its mean. For several draws, repeat the images.
            chunk: importance samples per pass, which limits memory. Another value draws other numbers.
            generator: for reproducible results.

        Raises:
            UserError: if an argument is invalid, the pixels are not independent given z, a density does not exist, or
                the model is in training mode.
        """
        from vae_lightning.models.imputation import impute  # which imports this module

        return impute(self, x, mask, y, method=method, samples=samples, draw=draw, chunk=chunk, generator=generator)

    def sample_prior(self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Sample n latents from the prior, (n, D)."""
        sampled = self.prior(self.encode, self.condition(y)).sample(n, generator)
        return self.posterior.lookup(sampled) if isinstance(self.posterior, Quantizer) else sampled

    def as_images(self, x: Tensor) -> Tensor:
        """Convert images to [0, 1] and the type of the weights, on the device.

        Raises:
            UserError: if the shape is wrong, or floats lie outside [0, 1]. While a Trainer runs, only the first batch
                is checked, since each check waits for the device.
        """
        is_running = self._trainer is not None and self._trainer.state.status == TrainerStatus.RUNNING
        images = to_unit_interval(x, self.image_shape, self.dtype, not (is_running and self.has_checked_images))
        if x.is_floating_point():
            self.has_checked_images = is_running
        return images

    def condition(self, y: Tensor | None) -> Tensor | None:
        """Convert classes (B,) to one-hot vectors (B, K), and keep attributes (B, K). None without a condition.

        Raises:
            UserError: if labels are missing or have another shape, or on the CPU, if one of them is not a class.
        """
        return to_condition(y, self.condition_dim, self.dtype) if self.condition_dim else None


def init_layer(layer: nn.Module, std: float) -> None:
    """Initialize the weight and bias of a linear or convolutional layer from N(0, std²)."""
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=std)
