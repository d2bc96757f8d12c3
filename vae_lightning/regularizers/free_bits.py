"""Free bits: a KL that is not reduced below a minimum per group of latents."""

from torch import Tensor

from vae_lightning.distributed.batch_sharding import all_gather_rows
from vae_lightning.distributions import ForwardPass
from vae_lightning.distributions.posterior import kl_per_latent
from vae_lightning.regularizers.base import Regularizer


class FreeBits(Regularizer):
    """Σ_g max(λ, KL of group g), where the KL is averaged over the batch first. Kingma et al. 2016.

    So a group below λ has no gradient, whatever the KL of single images. λ is in nats (1 bit is 0.69 nats) and per
    group, not per image. The rate is that without a minimum.

    Args:
        free_bits: λ >= 0; 0 gives the VAE.
        group_size: number of consecutive latents in a group, which divides their number. If latents form a map
            (C, h, w), a group of h·w is a channel.
    """

    standard_normal_only = True  # the KL of others is not a sum over latents
    diagonal_gaussian_only = True

    def __init__(self, *, free_bits: float = 0.5, group_size: int = 1) -> None:
        super().__init__()
        self.free_bits, self.group_size = free_bits, group_size

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (the sum over groups, {rate})."""
        per_latent = all_gather_rows(kl_per_latent(out.qz, out.pz)).mean(0)
        per_group = per_latent.unflatten(0, (-1, self.group_size)).sum(1)
        return per_group.clamp_min(self.free_bits).sum(), {"rate": per_latent.sum()}

    def effective_weights(self, warmup: float) -> dict[str, float]:
        """Return the weight of the sum, and λ."""
        return {"beta": warmup, "free_bits": self.free_bits}
