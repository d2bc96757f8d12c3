"""The partially importance-weighted autoencoder."""

import torch
from torch import Tensor

from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.models.iwae import importance_weighted_bound, scale_gradient_per_draw
from vae_lightning.models.miwae import MIWAE


class PIWAE(MIWAE):
    """The bound of `IWAE` with M·K samples for decoder and prior, that of `MIWAE` for the encoder.

    Rainforth et al. 2018. So the decoder has the tightest bound, which `loss` and `objective` are, and the
    encoder the better gradient. Both gradients come from a single backward pass.

    Raises:
        UserError: if it is trained in half precision with its narrow range.
    """

    requires_diagonal_gaussian = True  # for the two gradients of log q(z|x)

    def on_fit_start(self) -> None:
        """Check that the precision has the range of the weights of draws.

        Raises:
            UserError: if it does not.
        """
        if self.trainer.precision == "16-mixed":
            raise UserError(
                "trainer.precision=16-mixed: importance weights exceed its range. Set trainer.precision=bf16-mixed."
            )
        super().on_fit_start()

    @property
    def has_score(self) -> bool:
        """False: `trained_bound` adds this gradient, with the weights of the encoder's bound."""
        return False

    def bound(self, log_w: Tensor) -> Tensor:
        """Compute the decoder's bound of each image, (B,), from log weights (K·M, B)."""
        return importance_weighted_bound(log_w)

    def trained_bound(self, out: ForwardPass, log_w: Tensor) -> Tensor:
        """Compute the decoder's bound, with the gradients of both.

        Its gradient is a sum over draws of ∇ log w, weighted by w̃ of all draws. Behind z, in the encoder, the weights
        are exchanged for those of the encoder's bound.
        """
        bound = self.bound(log_w)
        if not bound.requires_grad:
            return bound
        # At least ε², which changes no sum, so that draws without a weight for the decoder have one for the encoder.
        of_decoder = log_w.detach().softmax(0).clamp_min(torch.finfo(log_w.dtype).eps ** 2)
        of_encoder = self.by_bound(log_w.detach()).softmax(0).flatten(0, 1) / self.num_bounds
        factors = self.path_factors(log_w.detach()) if self.gradient == "dreg" else 1.0
        scale_gradient_per_draw(out.z, of_encoder * factors / of_decoder)
        weighted = (of_decoder * log_w).sum(0)
        if self.gradient == "standard":
            log_qz = out.qz.log_prob(out.z.detach()).unflatten(0, (self.num_draws, -1))
            weighted = weighted - self.warmup * (of_encoder * log_qz).sum(0)
        return bound.detach() + (weighted - weighted.detach())
