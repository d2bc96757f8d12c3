"""Checks before a run starts, so that nothing has been written when one fails."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.accelerators import CPUAccelerator

from vae_lightning.callbacks import RepresentationMetrics
from vae_lightning.checkpointing.resume import Resumption
from vae_lightning.checkpointing.trust import Part, check_trusted
from vae_lightning.config.packages import DATA_PACKAGES, is_own
from vae_lightning.data import ImageDataModule
from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.figures.isolated_eval import isolated_eval
from vae_lightning.figures.probe_images import probe_images, to_device
from vae_lightning.io.resources import available_cores
from vae_lightning.models import ELBOModule
from vae_lightning.models.running_means import checked_terms
from vae_lightning.regularizers.base import DERIVED_TERMS, NoPenalty, Regularizer

ALLOWED_PROCESSES = 8  # on any machine, however few cores it has


def check_inherited(config: dict[str, Any]) -> None:
    """Check that model and data of another run, which may be someone else's, are of trusted classes.

    Args:
        config: a resolved configuration, with the run in `prior_of` or `init_from`.

    Raises:
        UserError: if one is of another class.
    """
    source = Path(config["prior_of"] or config["init_from"])
    model = config["model"]["autoencoder"] if config["prior_of"] else config["model"]
    model, data = Part(model, source), Part(config["data"], source, DATA_PACKAGES)
    check_trusted(config["trust"], model, data)


def check_same_images(config: dict[str, Any], data: ImageDataModule, resumption: Resumption) -> None:
    """Check that a resumed run trains on the images that it was trained on, so that it is split in the same way.

    Raises:
        UserError: if the images have changed.
    """
    if data.has_changed(resumption.data_identity):
        raise UserError(
            f"data.root={config['data'].get('root')}: the images have changed since this run was trained, so they would"
            " be split differently, and it would be tested on images that it was trained on. Restore them, or start a"
            f" new run: init_from={config['run_dir']} trains further on them."
        )


def check_labels(model: dict[str, Any], data: ImageDataModule) -> None:
    """Check that the data has classes or attributes if the model is conditional, and as many as a trained autoencoder.

    Args:
        model: the configuration of the model.
        data: the data module, after its setup.

    Raises:
        UserError: if it has none, or another number.
    """
    autoencoder = model.get("autoencoder") or {}
    expected = autoencoder["num_classes"] if autoencoder.get("conditional") else data.num_classes
    if data.num_classes != expected:
        raise UserError(f"data.num_classes={data.num_classes}: the run in prior_of has {expected}. Use its data.")
    if model["conditional"] and data.num_classes is None:
        labels = "no labels" if data.splits["train"].y is None else "factors, not classes"
        raise UserError(f"model.conditional=true: the data has {labels}. Set model.conditional=false.")


def check_model(model: ELBOModule, monitor: str, data: ImageDataModule, callbacks: Sequence[L.Callback]) -> None:
    """Check that the data suits the model, build the optimizers, and evaluate objective and metrics on a few images.

    Raises:
        UserError: if the data does not suit the model or a metric, a term is not finite, or the monitor is not logged.
            Training metrics of adversarial models are not checked, nor any name if there are callbacks of the user's
            own, since only training can tell what they log.
    """
    model.check_data(data)
    model.configure_optimizers()
    model.regularizer.dataset_size = len(data.splits["train"].x)
    with isolated_eval(model), torch.enable_grad():
        out = model(*to_device(probe_images(data, 2), model.device))
        terms = model.objective(out)
        check_penalty(model.regularizer, out)
    weights = model.regularizer.effective_weights(model.warmup)
    terms = checked_terms(terms, taken=(*DERIVED_TERMS, *weights))
    if bad := [name for name, value in terms.items() if not value.isfinite()]:
        raise UserError(
            f"model: {' and '.join(bad)} of the first images {'is' if len(bad) == 1 else 'are'} not finite, before any"
            " training. Use smaller weights of the model, or a likelihood with more noise."
        )
    derived = ["nelbo", "recon_kl_ratio", *["bits_per_dim"] * model.likelihood.eight_bit] if "rate" in terms else []
    names = [*terms, *derived, *weights]
    stage, _, name = monitor.partition("/")
    for callback in callbacks:
        if isinstance(callback, RepresentationMetrics):
            callback.check(model, data)
            names += callback.names * (stage == "val")
    if stage == "val" and not len(data.splits[data.validation_split].x):
        raise UserError(f"monitor={monitor}: there are no validation images. Set monitor=train/objective.")
    has_own = any(is_own(type(callback).__module__) for callback in callbacks)  # which may log any name
    if name not in names and not has_own and (stage == "val" or model.automatic_optimization):
        raise UserError(f"monitor={monitor}: not logged. Use {stage}/ followed by one of {', '.join(names)}.")


def check_penalty(regularizer: Regularizer, out: ForwardPass) -> None:
    """Check that the penalty of the user's own regularizer has a gradient; without one it would have no effect.

    Raises:
        UserError: if it has none.
    """
    name, is_users = type(regularizer).__name__, is_own(type(regularizer).__module__)
    if is_users and not isinstance(regularizer, NoPenalty) and not regularizer.checked(out)[0].requires_grad:
        raise UserError(
            f"{name}.forward: the penalty has no gradient. Compute it from tensors, without item() or detach(), or"
            " derive the class from NoPenalty."
        )


def check_cpu_process_count(trainer: L.Trainer) -> None:
    """Check that the number of processes on a CPU would not bring the machine to a halt.

    Raises:
        UserError: if there are too many.
    """
    most = max(ALLOWED_PROCESSES, available_cores())
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > most:
        raise UserError(f"trainer.devices={trainer.num_devices}: each is a process on this CPU. Use at most {most}.")
