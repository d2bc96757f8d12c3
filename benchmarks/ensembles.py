"""Time of a training step of several VAEs, one after the other or stacked by torch.func.vmap, on one thread or a GPU.

    python benchmarks/ensembles.py --models 8
    python benchmarks/ensembles.py --models 8 --device cuda

Each model has its own weights, optimizer state and noise in both cases.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from vae_lightning.models import VAE
from vae_lightning.networks import MLP, Conv, Network

CASES: dict[str, tuple[int, Network]] = {
    "16 x 16, MLP 64": (16, MLP(hidden_dims=[64])),
    "28 x 28, MLP 500": (28, MLP(hidden_dims=[500])),
    "28 x 28, convolutions": (28, Conv()),
}


class Loss(nn.Module):
    """A model as a function from images to its loss."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Compute the loss of a batch."""
        return self.model.objective(self.model(x))["loss"]


def sequential_step(losses: list[Loss], x: Tensor) -> Callable[[], None]:
    """Return a function that takes a step of each model, one after the other."""
    optimizers = [torch.optim.Adam(loss.parameters(), fused=True) for loss in losses]

    def step() -> None:
        for loss, optimizer in zip(losses, optimizers, strict=True):
            optimizer.zero_grad()
            loss(x).backward()
            optimizer.step()

    return step


def stacked_step(losses: list[Loss], x: Tensor) -> Callable[[], None]:
    """Return a function that takes a step of all models at once."""
    parameters, buffers = stack_module_state(losses)
    optimizer = torch.optim.Adam(list(parameters.values()), fused=True)

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return functional_call(losses[0], (parameters, buffers), (x,))

    def step() -> None:
        optimizer.zero_grad()
        vmap(loss, randomness="different")(parameters, buffers).sum().backward()
        optimizer.step()

    return step


def milliseconds(step: Callable[[], None], device: torch.device, rounds: int = 7, steps: int = 10) -> float:
    """Return the shortest mean duration of a step over several rounds."""
    durations = []
    for _ in range(rounds + 1):  # the first one warms up
        start = time.perf_counter()
        for _ in range(steps):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        durations.append(time.perf_counter() - start)
    return 1000 * min(durations[1:]) / steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name, (size, network) in CASES.items():
        shape = (1, size, size)
        losses = [
            Loss(VAE(image_shape=shape, latent_dim=10, network=network)).to(args.device) for _ in range(args.models)
        ]
        x = torch.rand(128, *shape, device=args.device)
        one, all_ = (milliseconds(step(losses, x), args.device) for step in (sequential_step, stacked_step))
        print(f"{name:22} {args.models} models: {one:7.1f} ms one by one, {all_:7.1f} ms stacked, {one / all_:.2f} x")


if __name__ == "__main__":
    main()
