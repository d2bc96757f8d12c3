"""The three workloads written plainly, trained as people train them without this project.

    python benchmarks/plain.py bare W1 clock-file --root data

It runs until it is killed; `throughput.py` starts it.
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

from vae_lightning.data import Order
from vae_lightning.machine import keep_memory, trust_cuda

BATCH = {"W1": 128, "W2": 100, "W3": 128}


class VAE(nn.Module):
    """Encoder, two linear layers, decoder, and the loss: cross-entropy and KL, nats per image."""

    def __init__(
        self, encoder: nn.Module, num_features: int, latent_dim: int, decoder: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.mu, self.logvar = nn.Linear(num_features, latent_dim), nn.Linear(num_features, latent_dim)
        self.decoder = decoder()  # after them, so that a seed gives the weights that it gives in vae_lightning

    def forward(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to the loss."""
        features = self.encoder(x)
        mu, logvar = self.mu(features), self.logvar(features)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        distortion = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        rate = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum()
        return (distortion + rate) / len(x)


def paper() -> VAE:
    """W1: vae-cvae-mnist, Tables 1 and 2; latent 2."""
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(64, 128, 3, 2, 1), nn.ReLU(), nn.Flatten(),
    )  # fmt: skip
    return VAE(encoder, 2048, 2, lambda: nn.Sequential(
        nn.Linear(2, 2048), nn.ReLU(), nn.Unflatten(1, (128, 4, 4)), nn.ConvTranspose2d(128, 64, 3, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1),
    ))  # fmt: skip


def mlp() -> VAE:
    """W2: 784-500-20 and back."""
    return VAE(nn.Sequential(nn.Flatten(), nn.Linear(784, 500), nn.Tanh()), 500, 20, lambda: nn.Sequential(
        nn.Linear(20, 500), nn.Tanh(), nn.Linear(500, 784), nn.Unflatten(1, (1, 28, 28)),
    ))  # fmt: skip


def burgess() -> VAE:
    """W3: Burgess et al. 2018 on 3 x 64 x 64; latent 32."""
    halve = [layer for n in (3, 32, 32, 32) for layer in (nn.Conv2d(n, 32, 4, 2, 1), nn.ReLU())]
    encoder = nn.Sequential(*halve, nn.Flatten(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
    return VAE(encoder, 256, 32, lambda: nn.Sequential(
        nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 512), nn.ReLU(),
        nn.Unflatten(1, (32, 4, 4)),
        *(layer for _ in range(3) for layer in (nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU())),
        nn.ConvTranspose2d(32, 3, 4, 2, 1),
    ))  # fmt: skip


MODELS = {"W1": paper, "W2": mlp, "W3": burgess}


def pictures(workload: str, root: str) -> datasets.VisionDataset:
    """The images as torchvision gives them, one by one."""
    if workload == "W3":
        return datasets.ImageFolder(f"{root}/train", transforms.ToTensor())
    return datasets.MNIST(root, transform=transforms.ToTensor())


def in_memory(workload: str, root: str) -> Tensor:
    """All images, uint8 (N, C, H, W)."""
    images = pictures(workload, root)
    if isinstance(images, datasets.MNIST):
        return images.data[:, None].clone()
    return torch.stack([(image * 255).round().to(torch.uint8) for image, _ in images])


def epochs(n: int) -> Iterator[Tensor]:
    """The order of the images in each epoch: that of vae_lightning, so that losses compare."""
    order, epoch = Order(n, seed=0), 0
    while True:
        order.set_epoch(epoch)
        yield order.indices()
        epoch += 1


def train(workload: str, batches: Iterator[Iterable[Tensor]], clock: Clock) -> None:
    """An eager loop over epochs of images in [0, 1], which logs nothing."""
    trust_cuda()  # who does not import Lightning need not say so
    torch.manual_seed(0)
    model = MODELS[workload]()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for epoch in batches:
        clock.part()
        for x in epoch:
            loss = model(x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            clock.tick(loss.item())


def bare(workload: str, root: str, clock: Clock) -> None:
    """The images from a tensor in memory."""
    x = in_memory(workload, root)
    train(workload, ((x[i].float() / 255 for i in order.split(BATCH[workload])) for order in epochs(len(x))), clock)


def kept(workload: str, root: str, clock: Clock) -> None:
    """The same with vae_lightning's setting of the C allocator."""
    keep_memory()
    bare(workload, root, clock)


def loader(workload: str, root: str) -> Iterator[DataLoader]:
    """torchvision's images by a DataLoader, one for each epoch's order."""
    images = pictures(workload, root)
    for order in epochs(len(images)):  # a generator of its own leaves the model's noise alone
        yield DataLoader(images, BATCH[workload], sampler=order.tolist(), generator=torch.Generator())


def torchvision(workload: str, root: str, clock: Clock) -> None:
    """torchvision's images, decoded and converted one by one."""
    train(workload, ((x for x, _ in batches) for batches in loader(workload, root)), clock)


class Module(L.LightningModule):
    """The same as a LightningModule that logs its loss, as in the tutorials."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """The loss, logged."""
        loss = self.model(batch[0])
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), 1e-3)


def lightning(workload: str, root: str, clock: Clock) -> None:
    """Lightning with its defaults."""
    batches = next(loader(workload, root))
    torch.manual_seed(0)
    model = Module(MODELS[workload]())
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(default_root_dir=folder, callbacks=[clock], max_epochs=-1, accelerator="cpu")
        trainer.fit(model, batches)


LOOPS = {"bare": bare, "kept": kept, "torchvision": torchvision, "lightning": lightning}


def main() -> None:
    """Run one loop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loop", choices=LOOPS)
    parser.add_argument("workload", choices=MODELS)
    parser.add_argument("clock", type=Path)
    parser.add_argument("--root", default="data", help="the folder that holds MNIST/raw/, or train/ of W3")
    args = parser.parse_args()
    LOOPS[args.loop](args.workload, args.root, Clock(args.clock))


if __name__ == "__main__":
    main()
