"""The Riemannian Hamiltonian VAE."""

from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vae_lightning.distributed.batch_sharding import random_integers
from vae_lightning.distributions.posterior import promote_to_float32, sample_noise
from vae_lightning.errors import UserError
from vae_lightning.models.hamiltonian_vae import HamiltonianVAE
from vae_lightning.pixels import to_8_bit

# Of the chains that sample from the volume element.
TRANSITIONS = 100
LEAPFROG_STEPS = 15
STEP_SIZE = 0.1


class Metric(NamedTuple):
    """A Riemannian metric G of the latents, G⁻¹(z) = Σ_i M_i exp(-‖z - c_i‖² / T²) + λ I.

    Attributes:
        centroids: c_i, (N, D).
        matrices: M_i, symmetric and positive definite, with the rows joined, (N, D²).
        temperature: T, in the unit of the latents.
        regularization: λ.
    """

    centroids: Tensor
    matrices: Tensor
    temperature: float
    regularization: float


class LocalMetric:
    """A metric at latents z, and the kinetic energy of momenta v there, ½ vᵀ G⁻¹ v + ½ log |G|.

    This is -log N(v; 0, G) without its constant.

    Args:
        metric: G.
        z: latents, (B, D).
    """

    def __init__(self, metric: Metric, z: Tensor) -> None:
        self.metric, self.z = metric, z
        distance = torch.cdist(z, metric.centroids, compute_mode="donot_use_mm_for_euclid_dist")
        self.weights = torch.exp(-(distance / metric.temperature).square())
        identity = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
        with torch.autocast(z.device.type, enabled=False):  # whose rounding could make the matrices indefinite
            products = (self.weights @ metric.matrices).unflatten(1, identity.shape)
        self.inverse = products + metric.regularization * identity

    @cached_property
    def factor(self) -> Tensor:
        """C, lower triangular with C Cᵀ = G⁻¹, (B, D, D)."""
        return torch.linalg.cholesky_ex(self.inverse).L  # without the check of errors, which waits for the device

    @cached_property
    def covariance(self) -> Tensor:
        """G, the covariance of the momentum, (B, D, D)."""
        return torch.cholesky_inverse(self.factor)

    def momentum(self, noise: Tensor) -> Tensor:
        """Return momenta C⁻ᵀ ε ~ N(0, G) for standard normal noise ε, (B, D)."""
        return torch.linalg.solve_triangular(self.factor.mT, noise[:, :, None], upper=True).squeeze(2)

    def velocity(self, momentum: Tensor) -> Tensor:
        """Return G⁻¹ v, the gradient of the kinetic energy with respect to the momentum, (B, D)."""
        return (self.inverse * momentum[:, None]).sum(2)

    def force(self, momentum: Tensor) -> Tensor:
        """Return minus the gradient of the kinetic energy with respect to z, (B, D).

        With the weights w_i it is Σ_i w_i (vᵀ M_i v - tr(G M_i)) (z - c_i) / T², since log |G| = -log |G⁻¹|.
        """
        excess = momentum[:, :, None] * momentum[:, None] - self.covariance
        with torch.autocast(excess.device.type, enabled=False):
            scores = self.weights * (excess.flatten(1) @ self.metric.matrices.T)
            pull = scores.sum(1, keepdim=True) * self.z - scores @ self.metric.centroids
        return pull / self.metric.temperature**2

    def kinetic_energy(self, momentum: Tensor) -> Tensor:
        """Return the kinetic energy, (B,), in nats."""
        return 0.5 * (momentum * self.velocity(momentum)).sum(1) - self.log_volume

    @cached_property
    def log_volume(self) -> Tensor:
        """½ log |G⁻¹|, (B,), whose gradient with respect to z is the force on momenta of zero."""
        return self.factor.diagonal(dim1=1, dim2=2).log().sum(1)


class RiemannianHamiltonianVAE(HamiltonianVAE):
    """A Hamiltonian VAE whose momentum has the covariance G(z_0), a learned metric. Chadebec et al. 2020.

    G⁻¹(z) = Σ_i L_i L_iᵀ exp(-‖z - c_i‖² / T²) + λ I has training images x_i as centroids, c_i = μ(x_i). A second
    encoder maps x_i to L_i, lower triangular with a positive diagonal. The paper has one centroid per training image,
    and those of the batch during training; here they are the same in each step and in evaluation.

    The energy is not separable, so each leapfrog step is implicit and solved by fixed-point iterations. It preserves
    volume if they converge. The rate and estimates of log p(x) have the error of the log determinant.

    Args:
        num_centroids: number of training images that define the metric. With more of them, smaller steps are needed.
        metric_temperature: T > 0, the distance from a centroid at which its weight is 1/e.
        metric_regularization: λ > 0, the inverse metric far from all centroids.
        fixed_point_iterations: of each implicit equation, two per leapfrog step.
        leapfrog_step_size: see `HamiltonianVAE`.
        **kwargs: the others of `HamiltonianVAE`; `network` also builds an encoder for the metric.
    """

    centroid_images: Tensor
    centroid_labels: Tensor
    requires_vector = True  # a metric of maps would have too many elements

    def __init__(
        self,
        *,
        num_centroids: int = 200,
        metric_temperature: float = 1.5,
        metric_regularization: float = 0.01,
        fixed_point_iterations: int = 3,
        leapfrog_step_size: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(leapfrog_step_size=leapfrog_step_size, **kwargs)
        self.metric_temperature, self.metric_regularization = metric_temperature, metric_regularization
        self.fixed_point_iterations = fixed_point_iterations
        self.metric_encoder = self.network.encoder(self.image_shape, self.condition_dim)
        self.metric_factor = nn.Linear(self.metric_encoder.num_features, self.latent_dim * (self.latent_dim + 1) // 2)
        images = torch.randint(256, (num_centroids, *self.image_shape), dtype=torch.uint8)  # until `on_fit_start`
        self.register_buffer("centroid_images", images)
        self.register_buffer("centroid_labels", torch.zeros(num_centroids, self.condition_dim))

    def check_data(self, data: Any) -> None:
        """Check that there are enough training images.

        Raises:
            UserError: if there are fewer than centroids.
        """
        super().check_data(data)
        num_centroids, n = len(self.centroid_images), len(data.splits["train"].x)
        if n < num_centroids:
            raise UserError(
                f"model.num_centroids={num_centroids}: there are only {n} training images. Set {n} or fewer."
            )

    def on_fit_start(self) -> None:
        """Choose random training images as centroids, unless the run resumes or starts from another."""
        super().on_fit_start()
        if not self.images_seen and not self.is_pretrained:
            x, y = self.data_module.random_images(len(self.centroid_images))
            self.centroid_images.copy_(to_8_bit(x))
            if (labels := self.condition(y)) is not None:
                self.centroid_labels.copy_(labels)

    def metric(self) -> Metric:
        """Return the metric of the current networks."""
        x, y = self.as_images(self.centroid_images), self.centroid_labels
        centroids = self.encode(x, y).mu
        entries = promote_to_float32(self.metric_factor(self.metric_encoder(x, self.condition(y))))
        rows, columns = torch.tril_indices(self.latent_dim, self.latent_dim, device=x.device)
        factors = entries.new_zeros(len(x), self.latent_dim, self.latent_dim)
        is_diagonal = rows == columns
        exp = torch.where(is_diagonal, entries, 0).exp()  # exp of other entries may overflow, which has no gradient
        factors[:, rows, columns] = torch.where(is_diagonal, exp, entries)
        with torch.autocast(x.device.type, enabled=False):
            matrices = factors @ factors.mT
        return Metric(centroids, matrices.flatten(1), self.metric_temperature, self.metric_regularization)

    def follow(self, z: Tensor, noise: Tensor, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Draw momenta from N(0, G(z)) and move latents; see `HamiltonianVAE.follow`."""
        metric = self.metric()
        start = LocalMetric(metric, z)
        momentum = start.momentum(noise)
        moved, final_momentum = self.move(z, momentum, x, y, metric)
        end = LocalMetric(metric, moved)
        return moved, end.kinetic_energy(final_momentum) - start.kinetic_energy(momentum)

    def move(
        self, z: Tensor, momentum: Tensor, x: Tensor, y: Tensor | None, metric: Metric | None = None
    ) -> tuple[Tensor, Tensor]:
        """Move latents and momenta by K steps of the generalized leapfrog integrator. Girolami & Calderhead 2011."""
        local = LocalMetric(metric or self.metric(), z)
        half_step = 0.5 * self.step_size()
        scales = self.momentum_scales()
        momentum = scales[0] * momentum
        force = self.log_joint_gradient(z, x, y)
        for previous, scale in pairwise(scales):
            first = momentum
            for _ in range(self.fixed_point_iterations):
                momentum = first + half_step * (force + local.force(momentum))
            start = local
            for _ in range(self.fixed_point_iterations):
                z = start.z + half_step * (start.velocity(momentum) + local.velocity(momentum))
                local = LocalMetric(start.metric, z)
            force = self.log_joint_gradient(z, x, y)
            momentum = (momentum + half_step * (force + local.force(momentum))) * (scale / previous)
        return z, momentum

    @torch.no_grad()
    def sample_prior(
        self, n: int, y: Tensor | None = None, generator: torch.Generator | None = None, volume: bool = False
    ) -> Tensor:
        """Sample n latents from the prior, (n, D), or near the centroids.

        Args:
            n: number of samples.
            y: labels of a conditional model.
            generator: for reproducible samples.
            volume: sample from √|G⁻¹(z)| instead, by chains of Hamiltonian Monte Carlo that start at random centroids.
                Chadebec et al. 2022. Their number of transitions is fixed, since this density is constant far away and
                has no integral.
        """
        if not volume:
            return super().sample_prior(n, y, generator)
        metric = self.metric()
        current = LocalMetric(metric, metric.centroids[random_integers(len(metric.centroids), n, generator=generator)])
        rest = torch.zeros_like(current.z)
        for _ in range(TRANSITIONS):
            momentum = start = sample_noise(n, self.latent_dim, rest, generator)
            proposed, force = current, current.force(rest)
            for _ in range(LEAPFROG_STEPS):
                momentum = momentum + 0.5 * STEP_SIZE * force
                proposed = LocalMetric(metric, proposed.z + STEP_SIZE * momentum)
                force = proposed.force(rest)
                momentum = momentum + 0.5 * STEP_SIZE * force
            log_ratio = proposed.log_volume - current.log_volume + 0.5 * (start.square() - momentum.square()).sum(1)
            is_accepted = torch.rand(n, generator=generator).log().to(rest) < log_ratio
            current = LocalMetric(metric, torch.where(is_accepted[:, None], proposed.z, current.z))
        return current.z
