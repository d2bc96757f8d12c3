"""The three workloads in plain PyTorch and Lightning, without this project.

    python benchmarks/plain.py bare W1 CLOCK_FILE --root data

A loop runs until it is killed. `throughput.py` starts them.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import lightning as L
import torch
import torch.nn.functional as F
from clock import Clock
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from vae_lightning.data import EpochSampler
from vae_lightning.training.performance import disable_nvml_check, tune_malloc

BATCH_SIZES = {"W1": 128, "W2": 100, "W3": 128}


class VAE(nn.Module):
    """Encoder, two linear layers, decoder, and the loss: cross-entropy and KL, in nats per image."""

    def __init__(
        self, encoder: nn.Module, num_features: int, latent_dim: int, decoder: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.mu, self.logvar = nn.Linear(num_features, latent_dim), nn.Linear(num_features, latent_dim)
        self.decoder = decoder()  # last, so that a seed gives the same weights as in vae_lightning

    def forward(self, x: Tensor) -> Tensor:
        """Map images (B, C, H, W) in [0, 1] to the loss, a scalar."""
        features = self.encoder(x)
        mu, logvar = self.mu(features), self.logvar(features)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        distortion = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        rate = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum()
        return (distortion + rate) / len(x)


def paper() -> VAE:
    """Build W1: the VAE of vae-cvae-mnist, Tables 1 and 2, with 2 latents."""
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(64, 128, 3, 2, 1), nn.ReLU(), nn.Flatten(),
    )  # fmt: skip
    return VAE(encoder, 2048, 2, lambda: nn.Sequential(
        nn.Linear(2, 2048), nn.ReLU(), nn.Unflatten(1, (128, 4, 4)), nn.ConvTranspose2d(128, 64, 3, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1),
    ))  # fmt: skip


def mlp() -> VAE:
    """Build W2: an MLP of widths 784-500-20 and back."""
    return VAE(nn.Sequential(nn.Flatten(), nn.Linear(784, 500), nn.Tanh()), 500, 20, lambda: nn.Sequential(
        nn.Linear(20, 500), nn.Tanh(), nn.Linear(500, 784), nn.Unflatten(1, (1, 28, 28)),
    ))  # fmt: skip


def burgess() -> VAE:
    """Build W3: the network of Burgess et al. 2018 for 3 x 64 x 64 images, with 32 latents."""
    convolutions = [layer for n in (3, 32, 32, 32) for layer in (nn.Conv2d(n, 32, 4, 2, 1), nn.ReLU())]
    encoder = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
    return VAE(encoder, 256, 32, lambda: nn.Sequential(
        nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(),
        nn.Unflatten(1, (32, 4, 4)),
        *(layer for _ in range(3) for layer in (nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU())),
        nn.ConvTranspose2d(32, 3, 4, 2, 1),
    ))  # fmt: skip


MODELS = {"W1": paper, "W2": mlp, "W3": burgess}


def dataset(workload: str, root: str) -> datasets.VisionDataset:
    """Return the images as a torchvision dataset."""
    if workload == "W3":
        return datasets.ImageFolder(f"{root}/train", transforms.ToTensor())
    return datasets.MNIST(root, transform=transforms.ToTensor())


def in_memory(workload: str, root: str) -> Tensor:
    """Return all images, uint8 (N, C, H, W)."""
    images = dataset(workload, root)
    if isinstance(images, datasets.MNIST):
        return images.data[:, None].clone()
    return torch.stack([(image * 255).round().to(torch.uint8) for image, _ in images])


def epoch_orders(n: int) -> Iterator[Tensor]:
    """Yield the order of the images in each epoch, the same as in vae_lightning, so that losses are comparable."""
    sampler, epoch = EpochSampler(n, seed=0), 0
    while True:
        sampler.set_epoch(epoch)
        yield sampler.indices()
        epoch += 1


def train(workload: str, epochs: Iterator[Iterable[Tensor]], clock: Clock) -> None:
    """Train eagerly on epochs of batches of images in [0, 1], without logging."""
    disable_nvml_check()  # undoes what `import lightning` sets; a plain script would not import it
    torch.manual_seed(0)
    model = MODELS[workload]()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for epoch in epochs:
        clock.start_epoch()
        for x in epoch:
            loss = model(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            clock.record_step(loss.item())


def bare(workload: str, root: str, clock: Clock) -> None:
    """Train on images from a tensor in memory."""
    x = in_memory(workload, root)
    batch_size = BATCH_SIZES[workload]
    train(workload, ((x[i].float() / 255 for i in order.split(batch_size)) for order in epoch_orders(len(x))), clock)


def tuned(workload: str, root: str, clock: Clock) -> None:
    """Train like `bare`, with the settings of the C allocator that vae_lightning uses."""
    tune_malloc()
    bare(workload, root, clock)


def loaders(workload: str, root: str) -> Iterator[DataLoader]:
    """Yield a DataLoader of torchvision's images per epoch, in the order of that epoch."""
    images = dataset(workload, root)
    for order in epoch_orders(len(images)):  # a separate generator, since the model draws noise from the global one
        yield DataLoader(images, BATCH_SIZES[workload], sampler=order.tolist(), generator=torch.Generator())


def torchvision(workload: str, root: str, clock: Clock) -> None:
    """Train on torchvision's images, decoded and converted one by one."""
    train(workload, ((x for x, _ in batches) for batches in loaders(workload, root)), clock)


class Module(L.LightningModule):
    """A VAE as a LightningModule that logs its loss, as in the tutorials."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Return the loss and log it."""
        loss = self.model(batch[0])
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return an Adam optimizer."""
        return torch.optim.Adam(self.parameters(), 1e-3)


def lightning(workload: str, root: str, clock: Clock) -> None:
    """Train with Lightning and its default settings."""
    batches = next(loaders(workload, root))
    torch.manual_seed(0)
    model = Module(MODELS[workload]())
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(default_root_dir=folder, callbacks=[clock], max_epochs=-1, accelerator="cpu")
        trainer.fit(model, batches)


LOOPS = {"bare": bare, "tuned": tuned, "torchvision": torchvision, "lightning": lightning}


def main() -> None:
    """Run one loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loop", choices=LOOPS)
    parser.add_argument("workload", choices=MODELS)
    parser.add_argument("clock", type=Path, help="file to write the time and the loss of each step to")
    parser.add_argument("--root", default="data", help="directory that contains MNIST/raw/, or train/ for W3")
    args = parser.parse_args()
    LOOPS[args.loop](args.workload, args.root, Clock(args.clock))


if __name__ == "__main__":
    main()
