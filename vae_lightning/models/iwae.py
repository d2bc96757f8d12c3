"""The importance-weighted autoencoder."""

import math
from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError, check_choice
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.inputs import repeat_rows
from vae_lightning.regularizers import KL

GRADIENTS = ("standard", "stl", "dreg")


def importance_weighted_bound(log_w: Tensor) -> Tensor:
    """Compute log 1/K Σ_k w_k of each image, (B,). Its mean is at most log p(x), and tighter for larger K.

    Its gradient is Σ_k w̃_k ∇ log w_k with w̃ = w / Σ w, as in Burda et al. 2016, Eq. 14.

    Args:
        log_w: log p(x, z_k) - log q(z_k|x) with z_k ~ q(z|x), (K, B).
    """
    return torch.logsumexp(log_w, dim=0) - math.log(len(log_w))


def scale_gradient_per_draw(z: Tensor, factors: Tensor) -> None:
    """Multiply the gradient that z (K·B, D) receives by a factor per draw, (K, B). Call it once per forward pass."""
    if z.requires_grad:  # not during validation
        z.register_hook(lambda gradient: gradient * factors.flatten()[:, None])


class IWAE(ELBOModule):
    """-E[log 1/K Σ_k p(x, z_k) / q(z_k|x)]. Burda et al. 2016, Eq. 8.

    `objective` is this bound, which is at most `nelbo`. Distortion, rate and nelbo are those of the VAE, averaged over
    the K samples. The warm-up weights log p(z) - log q(z|x) inside the importance weights.

    The gradient of the decoder is always that of the bound. That of the encoder depends on `gradient`:

    - `standard`: that of the bound as well.
    - `stl`: without that of log q(z|x) for fixed z, whose expectation is 0 for K = 1, and not for K > 1. "Sticking the
      landing", Roeder et al. 2017.
    - `dreg`: the same, with w̃_k² in place of w̃_k. So it has the expectation of the standard one for all K, and less
      variance. Doubly reparameterized, Tucker et al. 2019.

    Args:
        num_samples: K >= 1; 1 gives the VAE with a sampled KL. The decoder processes K times the batch.
        gradient: `standard`, `stl` or `dreg`.
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if `gradient` is none of these, or the posterior does not support it, or if the prior has only a
            bound on its density.
    """

    supports_fitted_scale = False  # draws count by their weights

    def __init__(self, *, num_samples: int = 5, gradient: str = "standard", **kwargs: Any) -> None:
        super().__init__(regularizer=KL(beta=1.0), **kwargs)
        self.num_samples = num_samples
        self.gradient = check_choice("model.gradient", gradient, GRADIENTS)
        if not self.has_densities:
            names = " and ".join(type(part).__name__ for part in (self.posterior, self.prior))
            raise UserError(
                f"model: {type(self).__name__} requires densities of q(z|x) and p(z), which {names} do not have both."
                " Set model=vae."
            )
        if gradient != "standard" and not self.posterior.factorizes:
            raise UserError(
                f"model.gradient={gradient}: requires a Gaussian that depends on x only. Set model.gradient=standard."
            )

    @property
    def num_draws(self) -> int:
        """Number of draws per image."""
        return self.num_samples

    @property
    def has_score(self) -> bool:
        """Whether the gradient of log q(z|x) for fixed z is included in that of `log_terms`."""
        return self.gradient == "standard"

    def forward(self, x: Tensor, y: Tensor | None = None) -> ForwardPass:
        """Run the model with K samples per image: every tensor has K·B rows, the batch K times in a row."""
        x = self.as_images(x)
        qz, pz, z = self.infer(x, y, self.num_draws)
        x, y = repeat_rows(x, self.num_draws), repeat_rows(y, self.num_draws)
        return ForwardPass(x, y, qz, pz, z, self.decode(z, y))

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the bound, instead of the sum of distortion and rate."""
        log_px, log_ratio = self.log_terms(out)
        _, terms = self.regularizer(out)
        return {
            "loss": -self.trained_bound(out, log_px + self.warmup * log_ratio).mean(),
            "objective": -self.bound(log_px + log_ratio).mean(),
            "distortion": -log_px.mean(),
            **terms,
        }

    def log_terms(self, out: ForwardPass) -> tuple[Tensor, Tensor]:
        """Return log p(x|z) and log p(z) - log q(z|x) of each draw, (K, B)."""
        log_px = out.px.log_prob(out.x)
        log_ratio = out.pz.log_prob(out.z) - (out.qz if self.has_score else out.qz.detach()).log_prob(out.z)
        return log_px.unflatten(0, (self.num_draws, -1)), log_ratio.unflatten(0, (self.num_draws, -1))

    def bound(self, log_w: Tensor) -> Tensor:
        """Compute the bound of each image, (B,), from log weights (K, B)."""
        return importance_weighted_bound(log_w)

    def trained_bound(self, out: ForwardPass, log_w: Tensor) -> Tensor:
        """Compute the bound with the gradient that `gradient` selects."""
        if self.gradient == "dreg":
            scale_gradient_per_draw(out.z, self.path_factors(log_w.detach()))
        return self.bound(log_w)

    def path_factors(self, log_w: Tensor) -> Tensor:
        """Return the factors that make the gradient of the bound through z doubly reparameterized, (K, B).

        They are w̃_k. A warm-up β weights log q, and with it the term that is reparameterized again, -β Σ_k w̃_k ∇ log q
        for fixed z, whose expectation is that of -β Σ_k w̃_k (1 - w̃_k) ∇ log w_k through z.
        """
        return 1 - self.warmup * (1 - log_w.softmax(0))
