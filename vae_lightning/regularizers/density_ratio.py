"""Penalties by a discriminator between q(z) and another distribution: the product of its marginals, or the prior."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_lightning.distributions import ForwardPass
from vae_lightning.distributions.posterior import promote_to_float32
from vae_lightning.regularizers.base import Regularizer
from vae_lightning.regularizers.kl import kl


def permute_dims(z: Tensor) -> Tensor:
    """Permute each latent independently over the batch, for samples from Π_d q(z_d). Kim & Mnih 2018, Algorithm 1.

    Args:
        z: samples from q(z), (B, D).
    """
    return z.gather(0, torch.rand_like(z).argsort(dim=0))


class Discriminator(nn.Sequential):
    """Maps latents (B, D) to logits (B,) of z coming from q(z), not from p(z). Kim & Mnih 2018, appendix A.

    p(z) is Π_d q(z_d) in the FactorVAE, and the prior in the adversarial autoencoder.

    One logit with a sigmoid replaces the paper's two outputs with a softmax.

    Args:
        latent_dim: D.
        hidden_dims: widths of the hidden layers, each followed by LeakyReLU(0.2). The default is the paper's.
    """

    def __init__(self, latent_dim: int, hidden_dims: Sequence[int] = (1000,) * 6) -> None:
        layers: list[nn.Module] = []
        for n_in, n_out in zip([latent_dim, *hidden_dims], hidden_dims, strict=False):
            layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Linear([latent_dim, *hidden_dims][-1], 1), nn.Flatten(0))

    def forward(self, z: Tensor) -> Tensor:
        """Map latents (B, D) to logits (B,)."""
        return promote_to_float32(super().forward(z))

    def loss(self, z: Tensor, other: Tensor) -> Tensor:
        """Compute the cross-entropy between samples of q(z) and of p(z), a scalar. It is log 2 at chance level.

        Args:
            z: samples from q(z), (B, D).
            other: samples from p(z), (B, D).
        """
        return 0.5 * (F.softplus(-self(z)).mean() + F.softplus(self(other)).mean())


class DensityRatio(Regularizer):
    """KL(q(z|x) || p(z)) + γ · TC(z), TC = E_q(z)[log D(z) - log(1 - D(z))]. Kim & Mnih 2018, Eqs. 2 and 3.

    The discriminator's logit is this difference of logarithms.

    Args:
        discriminator: maps latents to logits. It is trained separately, with `Discriminator.loss`.
        gamma: γ >= 0.
    """

    def __init__(self, *, discriminator: Discriminator, gamma: float = 10.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.discriminator = discriminator

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (rate + γ · TC, {rate, total_correlation})."""
        terms = {"rate": kl(out).mean(), "total_correlation": self.discriminator(out.z).mean()}
        return terms["rate"] + self.gamma * terms["total_correlation"], terms

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return the weights of KL and TC."""
        return {"beta": warmup, "gamma": warmup * self.gamma}


class AdversarialMatching(Regularizer):
    """λ · E_q(z)[-log(1 - D(z))], the loss of an encoder whose codes should pass for samples of the prior.

    D(z) is the probability that z is a code. This is the non-saturating loss: the encoder maximizes the probability of
    the wrong answer, as in Goodfellow et al. 2014, section 3. It is λ log 2 at chance level.

    Args:
        discriminator: maps latents to logits. It is trained separately, with `Discriminator.loss`.
        lambda_adv: λ >= 0.
    """

    standard_normal_only = True  # nothing trains a prior

    def __init__(self, *, discriminator: Discriminator, lambda_adv: float = 10.0) -> None:
        super().__init__()
        self.lambda_adv = lambda_adv
        self.discriminator = discriminator

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (λ · generator loss, {generator_loss})."""
        generator = F.softplus(self.discriminator(out.append_condition(out.z))).mean()
        return self.lambda_adv * generator, {"generator_loss": generator}

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return the weight of the generator loss."""
        return {"lambda_adv": warmup * self.lambda_adv}
