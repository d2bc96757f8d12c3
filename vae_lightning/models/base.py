"""The one LightningModule that trains: every variant is this with another regularizer."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import BatchShard, global_batch_size, scale_loss
from vae_lightning.distributions import ForwardPass, GaussianPosterior, Likelihood, Prior, StandardNormal
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.errors import UserError
from vae_lightning.models.running_means import RunningMeans
from vae_lightning.networks import Network
from vae_lightning.regularizers import Regularizer
from vae_lightning.types import Shape


class ELBOModule(L.LightningModule):
    """Minimise distortion + warmup · penalty. Eq. 4 of vae-cvae-mnist when penalty = KL(q(z|x) || p(z)).

    Everything is in nats per image: summed over pixels and latents, mean over the batch. Logged under
    `{train,val,test}/`, each the mean over the images of an epoch:

    - distortion: -E_q[log p(x|z)], one sample of z for each image.
    - rate: KL(q(z|x) || p(z)), and nelbo = distortion + rate, whatever the weights, so that models compare.
    - recon_kl_ratio: distortion / rate (vae-cvae-mnist, section 4.4).
    - bits_per_dim: nelbo in bits, by value of the image, where the likelihood is one of 8-bit images.
    - beta: the effective weight of the penalty, warm-up included, at the end of the epoch.
    - loss: what was optimised; objective: the same at full warm-up, which epochs can be compared by.

    A model without a rate (`ae`) logs distortion, objective and loss. The x axis of every curve is the number of
    training images seen, as in Kingma & Welling 2014, Figure 2: models of any batch size then compare.

    Args:
        regularizer: the penalty.
        image_shape: (C, H, W).
        num_classes: K, the number of classes or of attributes, or None for unlabelled data.
        conditional: give the label to the encoder and the decoder, q(z|x, y) and p(x|z, y).
        latent_dim: D.
        network: the recipe of encoder and decoder.
        likelihood: the module that turns the decoder's output into p(x|z).
        optimizer: parameters -> optimiser.
        posterior: (num_features, latent_dim) -> the module that turns features into q(z|x).
        prior: (latent_dim, condition_dim, image_shape) -> the module that gives p(z).
        init_std: draw the weights and biases of all linear and convolutional layers from N(0, init_std²) at the start;
            None keeps the layers' own ways.

    Raises:
        UserError: when the model is conditional and the data has no labels, or the regularizer and the prior do not go
            together.
    """

    warmup: float = 1.0  # in [0, 1]: set by the Warmup callback
    images_seen: int = 0  # by the training, over all processes

    def __init__(
        self,
        *,
        regularizer: Regularizer,
        image_shape: Shape,
        num_classes: int | None,
        conditional: bool,
        latent_dim: int,
        network: Network,
        likelihood: Likelihood,
        optimizer: Callable[..., torch.optim.Optimizer],
        posterior: Callable[[int, int], nn.Module] = GaussianPosterior,
        prior: Callable[..., Prior] = StandardNormal,
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        if conditional and num_classes is None:
            raise UserError("model.conditional=true needs labels, and this data has none: type model.conditional=false")
        channels, height, width = image_shape
        self.image_shape = (channels, height, width)
        self.condition_dim = num_classes if conditional and num_classes else 0
        self.latent_dim = latent_dim
        self.encoder = network.encoder(self.image_shape, self.condition_dim)
        self.posterior = posterior(self.encoder.num_features, latent_dim)
        self.prior = prior(latent_dim=latent_dim, condition_dim=self.condition_dim, image_shape=self.image_shape)
        if regularizer.standard_normal_only and not isinstance(self.prior, StandardNormal):
            raise UserError(f"{type(self).__name__} is for the prior N(0, I): type model/prior=standard_normal")
        self.prior.check(self.encoder, self.posterior)
        output_shape = (channels * likelihood.values_per_pixel, height, width)
        self.decoder = network.decoder(latent_dim + self.condition_dim, output_shape)
        self.likelihood = likelihood
        self.regularizer = regularizer
        self.optimizer = optimizer
        self.shard = BatchShard()  # of this process in a batch: all
        self.means = {stage: RunningMeans() for stage in ("train", "val", "test")}
        if init_std is not None:
            for part in (self.encoder, self.posterior, self.decoder):
                part.apply(partial(init_layer, std=init_std))

    # ---------------------------------------------------------------- the model

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """One pass: images (B, C, H, W), uint8 or float in [0, 1], and labels, to all that the objective needs."""
        x = self.as_images(x)
        qz = self.encode(x, y)
        z = qz.rsample()
        return ForwardPass(x, y, qz, self.prior(self.encode, self.condition(y)), z, self.decode(z, y))

    def encode(self, x: Tensor, y: Tensor | None = None) -> Any:
        """Images (B, C, H, W), uint8 or float in [0, 1], to q(z|x)."""
        return self.posterior(self.encoder(self.as_images(x), self.condition(y)))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Any:
        """Latents (B, D) to p(x|z); `.mean` of it is the image."""
        condition = self.condition(y)
        output = self.decoder(z if condition is None else torch.cat([z, condition], dim=1))
        return self.likelihood(promote_to_float32(output))

    @torch.no_grad()
    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Images to their reconstructions from the posterior's mean, (B, C, H, W) in [0, 1]."""
        return self.decode(self.encode(x, y).mean, y).mean

    @torch.no_grad()
    def sample(self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Decode n draws from the prior, (n, C, H, W) in [0, 1]; y (n,) gives the label of each."""
        return self.decode(self.sample_prior(n, y, generator), y).mean

    def sample_prior(self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None) -> Tensor:
        """Draw n latents from the prior, (n, D)."""
        return self.prior(self.encode, self.condition(y)).sample(n, generator)

    def as_images(self, x: Tensor) -> Tensor:
        """Images in [0, 1], of the weights' type: uint8 is converted here, on the device; the shape is checked."""
        if x.shape[1:] != self.image_shape:
            raise UserError(
                f"this model takes images of shape (B, {', '.join(map(str, self.image_shape))}), not {tuple(x.shape)}"
            )
        images = x.to(self.dtype)
        return images / 255 if x.dtype == torch.uint8 else images

    def condition(self, y: Tensor | None) -> Tensor | None:
        """Classes (B,) to one-hot vectors, attributes (B, K) as they are: (B, K); None for a model not conditional."""
        if not self.condition_dim:
            return None
        if y is None:
            raise UserError("this model is conditional: give it y as well, the labels, int64 of shape (B,)")
        return (F.one_hot(y.long(), self.condition_dim) if y.dim() == 1 else y).to(self.dtype)

    # ---------------------------------------------------------------- the training

    def setup(self, stage: str) -> None:
        """Ask the data, where it is one of this package's, how many images there are and which of a batch are ours."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if splits := getattr(data, "splits", None):
            self.regularizer.dataset_size = len(splits["train"].x)
        self.shard = getattr(data, "shard", self.shard)

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """What is optimised and logged of one pass, the same for training, validation and test; `loss` among it."""
        distortion = -out.px.log_prob(out.x).mean()
        penalty, terms = self.regularizer(out)
        loss = distortion + self.regularizer.apply_warmup(penalty, terms, self.warmup)
        return {"loss": loss, "objective": distortion + penalty, "distortion": distortion, **terms}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Return the loss of one batch."""
        with self.shard:
            terms = self.objective(self(*batch))
            self.accumulate_metrics(batch, terms)
            return scale_loss(terms["loss"])

    def accumulate_metrics(self, batch: Any, terms: dict[str, Tensor]) -> None:
        """Add one batch to the training's means."""
        self.means["train"].update(len(batch[0]), terms)
        self.images_seen += global_batch_size(len(batch[0]))

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Add one batch to the validation's means."""
        with self.shard:
            self.means["val"].update(len(batch[0]), self.objective(self(*batch)))

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Add one batch to the test's means."""
        with self.shard:
            self.means["test"].update(len(batch[0]), self.objective(self(*batch)))

    def log_epoch(self, stage: str) -> None:
        """Log the means over the images of the epoch that ends, and start new ones."""
        means = self.means[stage].compute(self.all_reduce_sum)
        self.means[stage].reset()
        if "rate" in means:
            means["nelbo"] = means["distortion"] + means["rate"]
            means["recon_kl_ratio"] = means["distortion"] / means["rate"]
            if self.likelihood.eight_bit:
                means["bits_per_dim"] = means["nelbo"] / (math.prod(self.image_shape) * math.log(2))
        for name, weight in self.regularizer.effective_weights(self.warmup).items():
            means[name] = torch.tensor(weight, device=self.device)
        for name, value in means.items():
            self.log(f"{stage}/{name}", value, prog_bar=f"{stage}/{name}" == "val/objective", sync_dist=True)
        self.log("step", float(self.images_seen))  # Lightning's name for the x axis

    def on_train_epoch_start(self) -> None:
        """Start new means; an epoch that is resumed in its middle goes on with those of the checkpoint."""
        self.means["train"].reset()

    def on_train_epoch_end(self) -> None:
        """Log the training's means."""
        self.log_epoch("train")

    def on_validation_epoch_end(self) -> None:
        """Log the validation's means."""
        self.log_epoch("val")

    def on_test_epoch_end(self) -> None:
        """Log the test's means."""
        self.log_epoch("test")

    def configure_optimizers(self) -> Any:
        """Build the optimiser over all parameters."""
        return self.optimizer(self.parameters())

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Forget the gradients; `optimizer.zero_grad()` asks profiler and compiler first, for 60 µs a step."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the warm-up, and the means of an epoch that is cut off in its middle."""
        checkpoint["warmup"], checkpoint["images_seen"] = self.warmup, self.images_seen
        checkpoint["means"] = self.means["train"].state_dict(self.all_reduce_sum)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with them; with the means, in one process."""
        self.warmup, self.images_seen = checkpoint["warmup"], checkpoint["images_seen"]
        if self.trainer.is_global_zero:
            self.means["train"].load_state_dict(checkpoint["means"])

    def all_reduce_sum(self, value: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        return self.trainer.strategy.reduce(value.clone(), reduce_op="sum")  # it reduces in place


def init_layer(layer: nn.Module, std: float) -> None:
    """Draw a layer's weight and bias from N(0, std²); those of a normalisation stay."""
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=std)
