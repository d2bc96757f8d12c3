"""Compare the training images/s of `python train.py` with a bare eager loop over the same modules, for each model.

    python benchmarks/models.py --root data                      # MNIST in data/MNIST/raw
    python benchmarks/models.py --root data --models vae vq_vae

Both loops are measured as in `throughput.py`: in processes that take turns, with a ratio for each turn. The bare loop
builds the model that the configuration describes, gathers batches from one tensor, and calls the model, its objective,
`backward` and torch's default Adam. So the ratio is what Lightning, callbacks and logging cost, and what the settings
of `vae_lightning.training.performance` gain.
"""

import argparse
from collections.abc import Iterable
from statistics import fmean

import torch
from clock import Clock
from hydra import compose, initialize_config_dir
from plain import epoch_orders
from throughput import FOLDER, HERE, PLAIN, measure, print_table, train_command
from torch import Tensor, nn
from torchvision import datasets

from vae_lightning.config.instantiation import build
from vae_lightning.models import Adversarial, ELBOModule

BATCH_SIZE = 128
MNIST = ["data=mnist", "data.val_size=0", "monitor=train/objective", f"data.batch_size={BATCH_SIZE}"]
FIRST_STAGES = ("vae", "ae", "vq_vae", "rvq_vae", "fsq_vae", "lfq_vae", "autoencoder_kl", "cvae_gan")


def bare(model_name: str, root: str, clock: Clock) -> None:
    """Train the model of a configuration in a bare loop, until the process is killed."""
    with initialize_config_dir(str(HERE.parent / "conf"), version_base="1.3"):
        config = compose("train", [f"model={model_name}", *MNIST, "name=bare", "run_dir=bare"])
    torch.manual_seed(0)
    model: ELBOModule = build(config.model).train()
    mnist = datasets.MNIST(root)
    x, y = mnist.data[:, None].clone(), mnist.targets
    model.regularizer.dataset_size = len(x)
    configured = (
        model.configure_optimizers()
    )  # fused; the bare loop has torch's default, with their parameters and rates
    fused = configured if isinstance(configured, list) else [configured]
    parts = [optimizer.param_groups[0]["params"] for optimizer in fused]
    optimizers = [torch.optim.Adam(part, old.defaults["lr"]) for part, old in zip(parts, fused, strict=True)]
    for order in epoch_orders(len(x)):
        clock.start_epoch()
        losses: list[float] = []
        for index in order.split(BATCH_SIZE):
            losses.append(step(model, parts, optimizers, x[index], y[index]))
            clock.record_step(fmean(losses) if isinstance(model, Adversarial) else losses[-1])
            model.images_seen += len(index)


def step(
    model: ELBOModule, parts: list[list[nn.Parameter]], optimizers: list[torch.optim.Optimizer], x: Tensor, y: Tensor
) -> float:
    """Take one step of each optimizer and return the loss of the first."""
    require_grad(parts[1:], False)
    out = model(x, y)
    loss = model.objective(out)["loss"]
    descend(optimizers[0], loss)
    if isinstance(model, Adversarial):
        require_grad(parts[1:], True)
        require_grad(parts[:1], False)
        second = model.discriminator_loss(out)
        if model.trains_discriminator:
            descend(optimizers[1], second)
        require_grad(parts[:1], True)
    return loss.item()


def require_grad(parts: Iterable[list[nn.Parameter]], required: bool) -> None:
    """Set whether parameters receive gradients."""
    for part in parts:
        for parameter in part:
            parameter.requires_grad_(required)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """Take one step of an optimizer."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def main() -> None:
    """Measure all models, or run the bare loop of one (used internally)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="directory that contains MNIST/raw/")
    parser.add_argument("--models", nargs="+", default=FIRST_STAGES)
    parser.add_argument("--rounds", type=int, default=15, help="number of turns of each loop")
    parser.add_argument("--seconds", type=float, default=1.0, help="duration of each turn")
    parser.add_argument("--bare", help=argparse.SUPPRESS)  # the file of the clock
    args = parser.parse_args()
    if args.bare:
        bare(args.models[0], args.root, Clock(args.bare))
        return
    for name in args.models:
        commands = {
            PLAIN["bare"]: [__file__, "--models", name, "--root", args.root, "--bare", f"{FOLDER}/clock"],
            "train.py": train_command([f"model={name}", *MNIST], args.root),
        }
        print_table(name, measure(commands, BATCH_SIZE, args.rounds, args.seconds))


if __name__ == "__main__":
    main()
