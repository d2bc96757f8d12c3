"""The adversarial autoencoder."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from vae_lightning.distributions import DeltaPosterior, ForwardPass
from vae_lightning.models.adversarial import Adversarial
from vae_lightning.models.inputs import condition_size
from vae_lightning.regularizers import AdversarialMatching, Discriminator


class AAE(Adversarial):
    """distortion + λ · generator loss, with a discriminator between codes and samples of N(0, I). Makhzani et al. 2016.

    Of the paper's encoders this is the deterministic one, so there is no rate. Its two phases per batch, reconstruction
    and matching, are one step on the sum of their losses here; the discriminator takes its own step.

    The discriminator of a conditional model is given the labels as well (section 2.3 of the paper).

    The generator loss changes with the discriminator, so it cannot compare epochs. `objective` is the distortion.

    Args:
        lambda_adv: λ >= 0; 0 gives the autoencoder.
        discriminator_dims: widths of the hidden layers of the discriminator.
        latent_dim: D.
        **kwargs: the others of `Adversarial`.
    """

    regularizer: AdversarialMatching
    requires_vector = True

    def __init__(
        self,
        *,
        lambda_adv: float = 10.0,
        discriminator_dims: Sequence[int] = (1000, 1000),
        latent_dim: int = 10,
        **kwargs: Any,
    ) -> None:
        condition_dim = condition_size(kwargs.get("conditional", False), kwargs.get("num_classes"))
        discriminator = Discriminator(latent_dim + condition_dim, list(discriminator_dims))
        regularizer = AdversarialMatching(lambda_adv=lambda_adv, discriminator=discriminator)
        super().__init__(regularizer=regularizer, own_posterior=DeltaPosterior, latent_dim=latent_dim, **kwargs)

    @property
    def discriminator(self) -> Discriminator:  # type: ignore[override]
        """The discriminator. It belongs to the regularizer, which computes the generator loss with it."""
        return self.regularizer.discriminator

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load weights, including those of a conditional model whose discriminator was not given the labels."""
        name = "regularizer.discriminator.0.weight"
        if (weight := state_dict.get(name)) is not None:
            missing = self.discriminator[0].in_features - weight.shape[1]
            state_dict = {**state_dict, name: F.pad(weight, (0, max(0, missing)))}  # weights of 0 ignore them
        return super().load_state_dict(state_dict, *args, **kwargs)

    def objective(self, out: ForwardPass) -> dict[str, Tensor]:
        """Compute the loss and all logged terms."""
        terms = super().objective(out)
        return terms | {"objective": terms["distortion"]}

    def discriminator_loss(self, out: ForwardPass) -> Tensor:
        """Compute the cross-entropy of telling codes from samples of the prior, without a gradient for the encoder."""
        codes, prior = out.z.detach(), self.sample_prior(len(out.z), out.y)
        return self.discriminator.loss(out.append_condition(codes), out.append_condition(prior))
