"""A prior that is learned for a trained model."""

from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from vae_lightning.distributed.batch_sharding import broadcast_state
from vae_lightning.distributions import ForwardPass, Posterior, Prior, Quantizer
from vae_lightning.errors import UserError
from vae_lightning.models.base import OPTIMIZER, ELBOModule
from vae_lightning.models.inputs import condition_size
from vae_lightning.priors import MixturePrior
from vae_lightning.regularizers import NoPenalty, Rate
from vae_lightning.rng import isolated_rng

INITIAL_IMAGES = 20_000  # for the scale of the latents and the EM algorithm, where more change little
BATCH_SIZE = 500  # of these images


class LatentPrior(ELBOModule):
    """-E_q[log p(z)] over the latents of a trained autoencoder, whose weights stay as they are.

    The result is a complete model: it encodes and decodes like the autoencoder, and samples from the learned prior. So
    `nelbo = distortion + rate` is a bound on -log p(x) for the pair, comparable with that of the autoencoder alone. The
    rate is missing for deterministic codes, and for priors without a density.

    Args:
        autoencoder: a trained model; not `Hierarchical`, `VDVAE` or `LatentPrior`, which have a learned prior already.
        prior: see `ELBOModule`.
        conditional: learn p(z|y), even if the autoencoder does not use labels.
        num_classes: K, if conditional.
        optimizer: parameters -> optimizer.
        scheduler: see `ELBOModule`.

    Raises:
        UserError: if prior and autoencoder do not fit together, or the labels are not used.
    """

    supports_latent_prior = False

    def __init__(
        self,
        *,
        autoencoder: ELBOModule,
        prior: Callable[..., Prior] = MixturePrior,
        conditional: bool = False,
        num_classes: int | None = None,
        optimizer: Callable[..., torch.optim.Optimizer] = OPTIMIZER,
        scheduler: Callable[..., LRScheduler] | None = None,
    ) -> None:
        L.LightningModule.__init__(self)  # not that of ELBOModule, which would build another autoencoder
        if not autoencoder.supports_latent_prior:
            raise UserError(f"prior_of: {type(autoencoder).__name__} has a learned prior already. Use another run.")
        own_condition_dim = condition_size(conditional, num_classes)
        self.autoencoder = autoencoder.requires_grad_(False).eval()
        self.image_shape = autoencoder.image_shape
        self.latent_shape, self.latent_dim = autoencoder.latent_shape, autoencoder.latent_dim
        self.condition_dim = autoencoder.condition_dim or own_condition_dim
        self.prior = self.build_prior(prior)
        if isinstance(self.posterior, Quantizer) and not self.prior.is_discrete:
            raise UserError(
                f"model/prior: {type(self.prior).__name__} does not model codes. Set model/prior=code_transformer."
            )
        if conditional and not self.prior.uses_condition and not autoencoder.condition_dim:
            raise UserError(
                f"model.conditional=true: {type(self.prior).__name__} does not use labels. Set model.conditional=false."
            )
        self.init_training(Rate() if self.has_rate else NoPenalty(), optimizer, scheduler)
        self.is_initialized: Tensor
        self.register_buffer("is_initialized", torch.tensor(False))

    # Parts of the autoencoder, under the names that every model has. They are not registered twice.
    encoder = property(lambda self: self.autoencoder.encoder)
    posterior = property(lambda self: self.autoencoder.posterior)
    decoder = property(lambda self: self.autoencoder.decoder)
    likelihood = property(lambda self: self.autoencoder.likelihood)

    @property
    def noise_dim(self) -> int:
        """Number of standard normal variables that `infer` turns into a draw."""
        return self.autoencoder.noise_dim

    @property
    def encoder_is_given_labels(self) -> bool:
        """Whether the autoencoder is conditional."""
        return self.autoencoder.encoder_is_given_labels

    def draw(self, x: Tensor, y: Tensor | None, num_samples: int, noise: Tensor | None) -> tuple[Any, Tensor]:
        """Encode images and draw latents as the autoencoder does."""
        with torch.no_grad():  # a `HamiltonianVAE` would keep the graph of its dynamics
            return self.autoencoder.draw(x, y, num_samples, noise)

    def encode(self, x: Tensor, y: Tensor | None = None) -> Any:
        """Encode images (B, C, H, W) to q(z|x), as the autoencoder does."""
        return self.autoencoder.encode(x, y)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Any:
        """Decode latents (B, D) to p(x|z), as the autoencoder does."""
        return self.autoencoder.decode(z, y)

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """Run the model on images (B, C, H, W) and labels. In training mode, nothing is decoded and px is None."""
        x = self.as_images(x)
        qz, pz, z = self.infer(x, y)
        return ForwardPass(x, y, qz, pz, z, None if self.training else self.decode(z, y))

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the loss of the prior and, except in training, distortion and rate."""
        loss = self.prior.loss(out.pz, out.prior_variable).mean()
        terms = {"loss": loss, "objective": loss}
        if out.px is not None:
            terms |= {"distortion": -out.px.log_prob(out.x).mean(), **self.regularizer(out)[1]}
        return terms

    def train(self, mode: bool = True) -> "LatentPrior":
        """Set the mode of the prior. The autoencoder stays in eval mode, in which it was tested."""
        super().train(mode)
        self.autoencoder.eval()
        return self

    def trained_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of the prior.

        Raises:
            UserError: if it has none.
        """
        parameters = list(self.prior.parameters())
        if not parameters:
            name = type(self.prior).__name__
            learned = "code_transformer" if isinstance(self.posterior, Quantizer) else "gaussian_mixture"
            fix = f"Set model/prior={learned}."
            if self.posterior.support != Posterior.support:
                fix = f"No learned prior is a distribution of {self.posterior.support}. Use another run."
            raise UserError(f"model/prior: {name} has nothing to learn. {fix}")
        return parameters

    def unfreeze(self) -> "LatentPrior":
        """Unfreeze the prior."""
        super().unfreeze()
        self.autoencoder.requires_grad_(False)
        return self

    @torch.no_grad()
    def on_fit_start(self) -> None:
        """Initialize the prior from latents of training images, once, in all processes alike.

        Raises:
            UserError: if the training images do not come from a data module.
        """
        super().on_fit_start()
        if not self.is_initialized:
            initialize_prior(self, lambda batch: self(*batch).prior_variable)
            self.is_initialized.fill_(True)


@torch.no_grad()
def initialize_prior(model: ELBOModule, draw: Callable[[Any], Tensor]) -> None:
    """Initialize the prior of a model from training images, in all processes alike.

    Args:
        model: attached to a Trainer.
        draw: a batch of images and labels -> the variable that the prior models, one row per image.

    Raises:
        UserError: if the training images do not come from a data module.
    """
    with isolated_rng(0):
        batches = model.data_module.random_images(INITIAL_IMAGES).split(BATCH_SIZE)
        model.prior.initialize_from_latents(torch.cat([draw(batch.to(model.device)) for batch in batches]))
    broadcast_state(model.prior)  # devices may round differently
