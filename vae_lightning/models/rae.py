"""The regularized autoencoder."""

from typing import Any

import torch
from torch import Tensor

from vae_lightning.distributions import DeltaPosterior, ForwardPass
from vae_lightning.distributions.posterior import noise_like
from vae_lightning.errors import check_choice
from vae_lightning.models.base import ELBOModule
from vae_lightning.models.double_backward import differentiable_twice
from vae_lightning.regularizers import CodeNorm


class RAE(ELBOModule):
    """distortion + β · ½ ‖z‖² + λ · a penalty on the decoder, with a deterministic code. Ghosh et al. 2020, section 3.

    - variant `l2`: ‖θ‖², the sum of the squares of the decoder's parameters.
    - variant `gp`: the gradient penalty ‖∂x̂/∂z‖², with the squares of all entries of the decoder's Jacobian added; see
      `squared_jacobian`.

    There is no rate, since a delta posterior has infinite KL to any prior. The paper samples from a density that is
    fitted to the codes afterwards, a mixture of Gaussians: `prior_of=RUN model/prior=gaussian_mixture`.

    Args:
        variant: `l2` or `gp`.
        beta: β >= 0.
        lambda_decoder: λ >= 0, the weight of the penalty on the decoder, which is not warmed up.
        **kwargs: those of `ELBOModule`.

    Raises:
        UserError: if the variant is neither `l2` nor `gp`.
    """

    compares_images = True

    def __init__(self, *, variant: str = "gp", beta: float = 0.01, lambda_decoder: float = 0.1, **kwargs: Any) -> None:
        super().__init__(regularizer=CodeNorm(beta=beta), own_posterior=DeltaPosterior, **kwargs)
        self.variant = check_choice("model.variant", variant, ("l2", "gp"))
        self.lambda_decoder = lambda_decoder

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the loss and all logged terms; `decoder_penalty` is unweighted."""
        terms = super().objective(out)
        penalty = self.squared_jacobian(out) if self.variant == "gp" else self.squared_weights()
        return terms | {
            "loss": terms["loss"] + self.lambda_decoder * penalty,
            "objective": terms["objective"] + self.lambda_decoder * penalty,
            "decoder_penalty": penalty,
        }

    def squared_weights(self) -> Tensor:
        """Compute ‖θ‖² of the decoder, a scalar."""
        return torch.stack([p.square().sum() for p in self.decoder.parameters()]).sum()

    def squared_jacobian(self, out: ForwardPass) -> Tensor:
        """Estimate ‖∂x̂/∂z‖², the squared Frobenius norm averaged over the batch, a scalar.

        It equals E ‖vᵀ ∂x̂/∂z‖² over v ~ N(0, I), estimated with one v per image. The gradient of the sum of all pixels,
        with v = 1, is no substitute, since the effects on different pixels would cancel.

        Validation, which is without gradients, requires this one as well.
        """
        with torch.inference_mode(False), differentiable_twice():
            z = out.z.clone()  # usable for gradients, unlike a tensor made in inference mode
            z = z if z.requires_grad else z.requires_grad_()
            images = self.decode(z, out.y).mean
            (gradient,) = torch.autograd.grad(images, z, noise_like(images), create_graph=True)
        return gradient.square().sum(1).mean()
