"""The LightningModule that trains. Every model is this module with another regularizer."""

from collections.abc import Callable, Iterable, Sized
from functools import partial
from typing import Any, ClassVar

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from vae_lightning.config.serialization import describe
from vae_lightning.distributed.batch_sharding import BatchShard, broadcast_state, global_batch_size, scale_loss
from vae_lightning.distributions import ForwardPass, StandardNormal
from vae_lightning.distributions.likelihoods.base import bits_per_dim
from vae_lightning.errors import UserError
from vae_lightning.models.inputs import unpack
from vae_lightning.models.latent_variable_model import LatentVariableModel
from vae_lightning.models.running_means import RunningMeans
from vae_lightning.regularizers import Regularizer
from vae_lightning.runs.format import CheckpointKey

OPTIMIZER = partial(torch.optim.Adam, lr=1e-3, fused=True)


class ELBOModule(LatentVariableModel):
    """Minimizes distortion + warmup · penalty. Eq. 4 of vae-cvae-mnist if penalty = KL(q(z|x) || p(z)).

    All terms are in nats per image: summed over pixels and latents, averaged over the batch. Each of these is logged
    under `{train,val,test}/`, averaged over the images of an epoch:

    - distortion: -E_q[log p(x|z)], with one sample of z per image.
    - rate: KL(q(z|x) || p(z)).
    - nelbo: distortion + rate, whatever the weights are, so models are comparable.
    - recon_kl_ratio: distortion / rate (vae-cvae-mnist, section 4.4).
    - bits_per_dim: nelbo in bits per value of the image, if the likelihood is one of 8-bit images.
    - beta: the weight of the penalty at the end of the epoch, including the warm-up.
    - loss: the quantity being optimized.
    - objective: the loss without warm-up, which is comparable between epochs.

    Models without a rate, such as `AE`, log distortion, objective and loss. The x axis of every curve is the number of
    training images seen, as in Kingma & Welling 2014, Figure 2, so models with different batch sizes are comparable.

    Args:
        regularizer: the penalty.
        optimizer: parameters -> optimizer.
        scheduler: optimizer -> learning rate scheduler, which steps after each epoch, or None for a constant rate. A
            `ReduceLROnPlateau` observes the validation objective.
        **parts: the arguments of `LatentVariableModel`: the shapes, the network, the likelihood, posterior and prior.

    Raises:
        UserError: if the parts do not fit together, or the regularizer does not support the posterior or the prior.
    """

    warmup: float = 1.0  # in [0, 1], set by the BetaWarmup callback
    accepts_unknown_labels: ClassVar[bool] = False  # whether a conditional model can be trained without some labels
    supports_latent_prior: ClassVar[bool] = True  # whether `LatentPrior` can replace the prior
    requires_diagonal_gaussian: ClassVar[bool] = False  # as q(z|x), whatever the regularizer requires
    requires_standard_normal: ClassVar[bool] = False  # as p(z)
    retains_graph: ClassVar[bool] = False  # whether a step runs several backward passes through the same graph
    images_seen: int = 0  # during training, over all processes
    is_pretrained: bool = False  # whether the weights are those of another run, including those of the prior
    plateau_metric: str = "val/objective"  # that a `ReduceLROnPlateau` observes

    def __init__(
        self,
        *,
        regularizer: Regularizer,
        optimizer: Callable[..., torch.optim.Optimizer] = OPTIMIZER,
        scheduler: Callable[..., LRScheduler] | None = None,
        **parts: Any,
    ) -> None:
        super().__init__(**parts)
        if (self.requires_diagonal_gaussian or regularizer.diagonal_gaussian_only) and not self.posterior.factorizes:
            raise UserError(f"model/posterior: {type(self).__name__} requires a diagonal Gaussian. Leave it out.")
        requires_standard_normal = self.requires_standard_normal or regularizer.standard_normal_only
        if requires_standard_normal and not isinstance(self.prior, StandardNormal):
            raise UserError(f"model/prior: {type(self).__name__} requires N(0, I). Set model/prior=standard_normal.")
        self.init_training(regularizer, optimizer, scheduler)

    def init_training(
        self,
        regularizer: Regularizer,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., LRScheduler] | None,
    ) -> None:
        """Set the attributes that the training needs besides the parts of the model."""
        self.regularizer = regularizer
        self.optimizer, self.scheduler = optimizer, scheduler
        self.shard = BatchShard()  # the rows of a batch that belong to this process; by default all
        self.means = {stage: RunningMeans() for stage in ("train", "val", "test")}

    def setup(self, stage: str) -> None:
        """Take the number of training images and the shard of this process from one of our data modules."""
        self.has_checked_images = False
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if splits := getattr(data, "splits", None):
            self.check_data(data)
            self.regularizer.dataset_size = len(splits["train"].x)
            if not len(splits[data.validation_split].x):
                self.plateau_metric = "train/objective"
        self.shard = getattr(data, "shard", self.shard)

    @property
    def data_module(self) -> Any:
        """The data module of the Trainer, for models that also learn from images outside of the batch.

        Raises:
            UserError: if it has none of ours.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not hasattr(data, "random_batch"):
            raise UserError(
                f"{type(self).__name__}: also learns from images outside of the batch, which a data loader does not"
                " provide. Pass datamodule=... to the Trainer, one of vae_lightning.data or your own ImageDataModule."
            )
        return data

    def on_fit_start(self) -> None:
        """Take the number of training images from a data loader, and start the prior from some of them if it does.

        A run that resumes or starts from another does not start its prior anew.
        """
        if self.regularizer.dataset_size is None:
            self.trainer.fit_loop.setup_data()
            if isinstance(images := getattr(self.trainer.train_dataloader, "dataset", None), Sized):
                self.regularizer.dataset_size = len(images)
        if (n := self.prior.num_initial_images) and not self.images_seen and not self.is_pretrained:
            images = self.data_module.random_images(n)
            self.prior.initialize_from_images(self.as_images(images.x.to(self.device)))
            broadcast_state(self.prior)  # a Trainer may not have seeded all processes alike

    def check_data(self, data: Any) -> None:
        """Check that one of our data modules, after its setup, provides what the training needs.

        Raises:
            UserError: if it does not, such as labels of all images for a conditional model.
        """
        if self.condition_dim and data.has_unknown_labels and not self.accepts_unknown_labels:
            raise UserError(
                f"data.labeled_per_class={data.labeled_per_class}: {type(self).__name__} with model.conditional=true"
                " requires the label of every image. Set data.labeled_per_class=null or model=m2."
            )
        if self.likelihood.eight_bit and data.binarize != "dynamic" and data.splits["train"].x.dtype != torch.uint8:
            raise UserError(
                f"model/likelihood: {type(self.likelihood).__name__} is a distribution of 8-bit images, and these are"
                " floats. Set data.dtype=uint8 or model/likelihood=gaussian."
            )

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the loss and all logged terms, in the same way for training, validation and test."""
        distortion = -out.px.log_prob(out.x).mean()
        penalty, terms = self.regularizer.checked(out)
        loss = distortion + self.regularizer.apply_warmup(penalty, terms, self.warmup)
        return {"loss": loss, "objective": distortion + penalty, "distortion": distortion, **terms}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Compute the loss of one batch."""
        batch = unpack(batch)
        with self.shard:
            terms = self.training_objective(batch)
            self.accumulate_metrics(batch, terms)
            return scale_loss(terms["loss"])

    def training_objective(self, batch: Any) -> dict[str, Tensor]:
        """Compute the loss and all logged terms of a training batch, for models that encode further images with it."""
        return self.training_terms(self(*batch))

    def training_terms(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the loss and all logged terms, for models whose loss has further terms in training."""
        return self.objective(out)

    def accumulate_metrics(self, batch: Any, terms: dict[str, Tensor]) -> None:
        """Add one batch to the training means."""
        self.means["train"].update(len(batch[0]), terms)
        self.images_seen += global_batch_size(len(batch[0]))

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Add one batch to the validation means."""
        self.evaluate_batch("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Add one batch to the test means."""
        self.evaluate_batch("test", batch)

    def evaluate_batch(self, stage: str, batch: Any) -> None:
        """Add one batch to the means of a stage, without further loss terms of the training."""
        x, y = unpack(batch)
        with self.shard:
            self.means[stage].update(len(x), self.objective(self(x, y)))

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the posterior means of one batch, (B, D), for `Trainer.predict`."""
        return self.encode(*unpack(batch)).mean

    def epoch_objective(self, means: dict[str, Tensor]) -> Tensor:
        """Return the objective of an epoch, from the means of all terms over its images."""
        penalty = self.regularizer.epoch_penalty(means)
        return means["objective"] if penalty is None else means["distortion"] + penalty

    def log_epoch(self, stage: str) -> None:
        """Log the means over the images of an epoch, and reset them."""
        means = self.means[stage].compute(self.all_reduce_sum)
        self.means[stage].reset()
        if means:
            means["objective"] = self.epoch_objective(means)
        if {"distortion", "rate"} <= means.keys():
            means["nelbo"] = means["distortion"] + means["rate"]
            means["recon_kl_ratio"] = means["distortion"] / means["rate"]
            if self.likelihood.eight_bit:
                means["bits_per_dim"] = bits_per_dim(means["nelbo"], self.image_shape)
        for name, weight in self.regularizer.effective_weights(self.warmup).items():
            means[name] = torch.tensor(float(weight), device=self.device)
        for name, value in means.items():
            self.log(f"{stage}/{name}", value, prog_bar=f"{stage}/{name}" == "val/objective", sync_dist=True)
        self.log("step", float(self.images_seen))  # what Lightning uses as the x axis

    def on_train_epoch_start(self) -> None:
        """Reset the means. Lightning does not call this when it resumes in the middle of an epoch."""
        self.means["train"].reset()

    def on_train_epoch_end(self) -> None:
        """Log the training means, and step the schedulers that observe the objective."""
        self.log_epoch("train")
        self.step_plateau_schedulers()

    def on_validation_epoch_end(self) -> None:
        """Log the validation means."""
        self.log_epoch("val")

    def on_test_epoch_end(self) -> None:
        """Log the test means."""
        self.log_epoch("test")

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters of the optimizer: by default all."""
        return self.parameters()

    def configure_optimizers(self) -> Any:
        """Build the optimizer, and the scheduler of its learning rate if there is one."""
        optimizer = self.optimizer(self.trained_parameters())
        if self.scheduler is None:
            return optimizer
        scheduler = self.scheduler(optimizer)
        # Lightning requires a monitor that is always there; the one that counts is that of `step_plateau_schedulers`.
        return [optimizer], [{"scheduler": scheduler, "monitor": "train/objective"}]

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step a scheduler as Lightning does, unless it observes the objective."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def step_plateau_schedulers(self) -> None:
        """Step the schedulers that observe the objective. Lightning would after the checkpoint has been written."""
        name = self.plateau_metric if self.trainer.enable_validation else "train/objective"
        metric = self.trainer.callback_metrics.get(name)  # None before the first validation
        every = 1 if name.startswith("train/") else self.trainer.check_val_every_n_epoch or 1
        is_new = (self.current_epoch + 1) % every == 0
        for config in self.trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, ReduceLROnPlateau) and metric is not None and is_new:
                config.scheduler.step(metric)

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: torch.optim.Optimizer) -> None:
        """Reset the gradients without the 60 µs per step that `optimizer.zero_grad()` spends on profiler hooks."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the warm-up, the means of an unfinished epoch, and a configuration to build the model from."""
        checkpoint[CheckpointKey.WARMUP], checkpoint[CheckpointKey.IMAGES_SEEN] = self.warmup, self.images_seen
        checkpoint[CheckpointKey.MEANS] = self.means["train"].state_dict(self.all_reduce_sum)
        if CheckpointKey.CONFIG not in checkpoint:  # not a run of ours, but a Trainer of the user's
            try:
                checkpoint[CheckpointKey.CONFIG] = {"model": describe(self)}
            except UserError as error:  # the Trainer can still resume from it
                rank_zero_warn(f"{error} vae_lightning.load cannot load this checkpoint.")

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore them; the means in one process only, since they are sums over all."""
        self.warmup, self.images_seen = checkpoint[CheckpointKey.WARMUP], checkpoint[CheckpointKey.IMAGES_SEEN]
        if self.trainer.is_global_zero:
            self.means["train"].load_state_dict(checkpoint[CheckpointKey.MEANS])

    def all_reduce_sum(self, value: Tensor) -> Tensor:
        """Sum a tensor over all processes."""
        return self.trainer.strategy.reduce(value.clone(), reduce_op="sum")  # works in place
