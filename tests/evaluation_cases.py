"""Small models of every kind, and images of noise, to evaluate."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hydra.utils import instantiate

from vae_lightning.checkpointing.run_loading import LoadedRun
from vae_lightning.data import Batch
from vae_lightning.distributions import ClassConditional, VampPrior
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.settings import Settings
from vae_lightning.evaluation.unfinished import Unfinished
from vae_lightning.models import (
    AAE,
    AE,
    CVAEGAN,
    DFCVAE,
    FSQVAE,
    HIWAE,
    HVAE,
    IWAE,
    LFQVAE,
    M2,
    PIWAE,
    RAE,
    RVQVAE,
    SWAE,
    VAE,
    VAEGAN,
    VDVAE,
    VQVAE,
    WAE,
    AutoencoderKL,
    ELBOModule,
    HamiltonianVAE,
    JointVAE,
    RiemannianHamiltonianVAE,
    VaDE,
)
from vae_lightning.networks import Ladder
from vae_lightning.posteriors import (
    FullCovariance,
    Gamma,
    InverseAutoregressiveFlow,
    PlanarFlow,
    PoincareBall,
    VonMisesFisher,
)
from vae_lightning.priors import GammaPrior, MixturePrior, UniformSphere, WrappedNormalPrior

TINY = Settings(
    images=100,
    likelihood_images=20,
    samples=30,
    ais=2,
    ais_images=4,
    ais_chains=2,
    test_images=30,
    permutations=19,
    repeats=2,
    points=100,
    trees=3,
    probe_images=50,
    classifier_steps=3,
)
CONDITIONAL = {"conditional": True}
MODELS = {
    "vae": VAE,
    "cvae": partial(VAE, **CONDITIONAL),
    "by_class": partial(VAE, **CONDITIONAL, prior=ClassConditional),
    "vamp_vae": partial(VAE, prior=partial(VampPrior, num_components=4)),
    "iwae": partial(IWAE, num_samples=3),
    "piwae": partial(PIWAE, num_bounds=2, num_samples=2),
    "full_covariance": partial(VAE, posterior=FullCovariance),
    "planar_vae": partial(VAE, posterior=PlanarFlow),
    "vmf_vae": partial(VAE, posterior=VonMisesFisher, prior=UniformSphere),
    "poincare_vae": partial(VAE, posterior=PoincareBall, prior=WrappedNormalPrior),
    "gamma_vae": partial(VAE, posterior=Gamma, prior=GammaPrior),
    "iaf_vae": partial(IWAE, posterior=InverseAutoregressiveFlow),
    "hvae": partial(HVAE, num_groups=2, hidden_dims=[8]),
    "hvae_mixture": partial(HVAE, num_groups=2, hidden_dims=[8], prior=MixturePrior),
    "vdvae": partial(VDVAE, network=Ladder(channels=[4, 8], groups=[0, 2])),
    "hiwae": partial(HIWAE, num_samples=3, upper_dims=[2], hidden_dims=[8]),
    "hamiltonian_vae": HamiltonianVAE,
    "riemannian_hamiltonian_vae": partial(RiemannianHamiltonianVAE, num_centroids=5),
    "joint_vae": partial(JointVAE, categories=[2]),
    "vae_gan": partial(VAEGAN, gamma=0.5, discriminator_optimizer=torch.optim.Adam),
    "autoencoder_kl": AutoencoderKL,
    "cvae_gan": partial(CVAEGAN, **CONDITIONAL),
    "m2": partial(M2, **CONDITIONAL),
    "vade": VaDE,
    "ae": AE,
    "wae": partial(WAE, lambda_mmd=10.0, kernel="imq"),
    "swae": SWAE,
    "dfc_vae": DFCVAE,
    "aae": partial(AAE, discriminator_dims=[16]),
    "rae": RAE,
    "vq_vae": partial(VQVAE, beta=0.25, code_dim=1, codebook_size=4, ema=False, decay=0.9),
    "fsq_vae": partial(FSQVAE, levels=[3]),
    "lfq_vae": partial(LFQVAE, code_dim=1),
    "rvq_vae": partial(RVQVAE, code_dim=1, codebook_size=4, depth=2),
}
NOT_FACTORIZED = ("hvae", "hiwae", "vdvae", "full_covariance", "planar_vae", "iaf_vae", "vmf_vae", "poincare_vae")
NOT_FACTORIZED += ("gamma_vae", "joint_vae", "hamiltonian_vae", "riemannian_hamiltonian_vae", "hvae_mixture")


def build(name: str, parts: dict[str, Any]) -> ELBOModule:
    """Build one of `MODELS` from the small parts, some of which it may replace."""
    return MODELS[name](**{**parts, **getattr(MODELS[name], "keywords", {})})


def noise_splits(labels: str) -> dict[str, Batch]:
    """Return 120 images of noise for training and testing and none for validation, with labels of the given kind."""
    n = torch.arange(120)
    y = {"classes": n % 10, "factors": torch.stack([n % 2, n % 3], dim=1), "none": None}[labels]
    x = torch.randint(256, (120, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return {"train": Batch(x, y), "val": Batch(x[:0], None if y is None else y[:0]), "test": Batch(x, y)}


@pytest.fixture
def make_context(small, tmp_path) -> Callable[..., EvaluationContext]:
    """Make the context of a model and images of noise: make_context(model, labels="factors")."""

    def make(model, labels: str = "classes", settings: Settings = TINY, binarize: str = "none") -> EvaluationContext:
        data = instantiate(small(f"data.binarize={binarize}").data, _convert_="all")
        data.splits = noise_splits(labels)
        run = LoadedRun(tmp_path, {}, model.eval().requires_grad_(False), data)
        unfinished = Unfinished(tmp_path, "group", f"{id(model)} {settings}")
        return EvaluationContext(run, settings, torch.device("cpu"), lambda steps, _: steps, unfinished)

    return make
