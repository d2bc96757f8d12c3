"""A model as three plain modules from tensors to tensors: encoder, decoder and sampler."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import ClassVar

import torch
from torch import Tensor, nn

from vae_lightning.distributions import DiagonalGaussian
from vae_lightning.errors import UserError, check_choice
from vae_lightning.exporting.noise import GivenNoise
from vae_lightning.models import ELBOModule
from vae_lightning.priors import CodePixelCNN, CodeTransformer, FlowMatching


class Graph(nn.Module, ABC):
    """Base class. Maps one tensor, and the condition of a conditional model, to tensors, all with B rows.

    Args:
        model: in eval mode, frozen, on the CPU.

    Attributes:
        name: of the file.
        input_name: of the tensor.
        output_names: names of the results.
        metadata: text that a format may hold beside the graph.
    """

    name: ClassVar[str]
    input_name: ClassVar[str]
    output_names: list[str]

    def __init__(self, model: ELBOModule) -> None:
        super().__init__()
        self.model = model
        self.metadata: dict[str, str] = {}

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return [self.input_name, *(["condition"] if self.model.condition_dim else [])]

    @abstractmethod
    def random_input(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n rows of the first input."""

    def example(self, n: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Draw inputs with n rows."""
        generator = torch.Generator().manual_seed(seed)
        inputs = self.random_input(n, generator).to(self.model.dtype)
        k = self.model.condition_dim
        if not k:
            return (inputs,)
        classes = torch.randint(k, (n,), generator=generator)
        return inputs, nn.functional.one_hot(classes, k).to(self.model.dtype)


class EncoderGraph(Graph):
    """Images in [0, 1] and a condition -> the mean of q(z|x), and its log σ² if it is a diagonal Gaussian, (B, D)."""

    name, input_name = "encoder", "image"

    def __init__(self, model: ELBOModule) -> None:
        super().__init__(model)
        self.output_names = ["mean", "logvar"][: len(self(*self.example(1)))]

    def forward(self, image: Tensor, condition: Tensor | None = None) -> tuple[Tensor, ...]:
        """Encode images (B, C, H, W), given a condition (B, K)."""
        q = self.model.encode(image, condition)
        return (q.mu, q.logvar) if isinstance(q, DiagonalGaussian) else (q.mean,)

    def random_input(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw images of uniform noise."""
        return torch.rand(n, *self.model.image_shape, generator=generator)


class DecoderGraph(Graph):
    """Latents (B, D) and a condition -> the mean of p(x|z), (B, C, H, W) in [0, 1]."""

    name, input_name = "decoder", "z"

    def __init__(self, model: ELBOModule) -> None:
        super().__init__(model)
        self.output_names = ["image"]

    def forward(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor]:
        """Decode latents (B, D), given a condition (B, K)."""
        return (self.model.decode(z, condition).mean,)

    def random_input(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw standard normal latents."""
        return torch.randn(n, self.model.latent_dim, generator=generator)


class SamplerGraph(Graph):
    """Standard normal noise (B, M) and a condition -> images from the model, (B, C, H, W) in [0, 1].

    For the prior N(0, I), M = D and the noise is z.

    Attributes:
        noise_dim: M.

    Raises:
        UserError: if the prior draws in a loop that depends on the batch.
    """

    name, input_name = "sampler", "noise"

    def __init__(self, model: ELBOModule) -> None:
        super().__init__(model)
        self.output_names = ["image"]
        if isinstance(model.prior, CodePixelCNN | CodeTransformer | FlowMatching):
            raise UserError(
                f"sampler: {type(model.prior).__name__} samples in a loop that depends on the batch, which cannot be"
                " exported. Export the rest with --only encoder,decoder."
            )
        with torch.no_grad(), GivenNoise(torch.empty(1, 0)) as draws:
            condition = torch.zeros(1, model.condition_dim).to(model.dtype) if model.condition_dim else None
            model.sample_prior(1, condition)
        self.noise_dim = draws.used

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> tuple[Tensor]:
        """Map noise (B, M) to samples, given a condition (B, K)."""
        with GivenNoise(noise):
            z = self.model.sample_prior(noise.shape[0], condition)
        return (self.model.decode(z, condition).mean,)

    def random_input(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw the noise."""
        return torch.randn(n, self.noise_dim, generator=generator)


GRAPHS: dict[str, type[Graph]] = {"encoder": EncoderGraph, "decoder": DecoderGraph, "sampler": SamplerGraph}


def graphs_of(model: ELBOModule, names: Collection[str] = tuple(GRAPHS)) -> list[Graph]:
    """Return encoder, decoder and sampler of a model, or some of them.

    Raises:
        UserError: if there is no graph of a name, the sampler cannot be one, or images are decoded pixel by pixel.
    """
    if model.likelihood.is_autoregressive and {*names} - {"encoder"}:
        raise UserError(
            "model/likelihood=autoregressive: images are decoded pixel by pixel, which cannot be exported."
            " Export the encoder (--only encoder), or serve the explorer without --static."
        )
    return [GRAPHS[check_choice("--only", name, GRAPHS)](model) for name in names]
