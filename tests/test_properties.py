"""Property-based tests of the models, networks and likelihoods in conf/, with images and batches of any size."""

from functools import cache
from typing import Any

import pytest
import torch
from conftest import OF_A_RUN, ROOT
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from vae_lightning.data import Batch, EpochSampler, InMemoryLoader
from vae_lightning.distributions import ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.models import AAE, CVAEGAN, M2, TVAE, VAEGAN, AutoencoderKL, ELBOModule
from vae_lightning.models.running_means import RunningMeans

reproducible = settings(derandomize=True, deadline=None, database=None)
MODELS, NETWORKS, LIKELIHOODS = (
    sorted({file.stem for file in (ROOT / "conf" / group).glob("*.yaml")} - OF_A_RUN)  # needs a trained model
    for group in ("model", "model/network", "model/likelihood")
)
SMALL: dict[str, dict[str, Any]] = {  # makes the choices in conf/ fast
    "mlp": {"hidden_dims": [8]},
    "conv": {"channels": [4, 4, 4]},
    "celeba": {"channels": [4] * 6},
    "kim_mnih": {"channels": [4] * 4, "hidden_dims": [8]},
    "burgess": {"width": 4, "hidden_dims": [8]},
    "resnet": {"channels": [4, 4, 4]},
    "spatial_resnet": {"channels": [4, 4, 4]},
    "ladder": {"channels": [4, 4, 4], "groups": [1, 0, 2]},
    "factor_vae": {"discriminator_dims": [8]},
    "aae": {"discriminator_dims": [8]},
    "autoencoder_kl": {"discriminator_channels": [4, 4]},
    "hvae": {"hidden_dims": [8]},
    "joint_vae": {"categories": [2]},
    "vq_vae": {"codebook_size": 4},
    "lfq_vae": {"code_dim": 2},
    "rvq_vae": {"codebook_size": 4},
    "vamp_vae": {"prior": {"num_components": 3}},
    "riemannian_hamiltonian_vae": {"num_centroids": 3},
    "autoregressive": {"width": 4},
}


@cache
def load_choice(group: str, choice: str) -> Any:
    """Return the configuration of a choice in conf/, with small networks."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_container(compose("train", [f"{group}={choice}", "run_dir=here"]))
    for name in group.split("/"):
        config = config[name]
    return OmegaConf.to_container(OmegaConf.merge(config, SMALL.get(choice, {})))


WEIGHTS = ("beta", "gamma", "alpha", "lambda_mmd", "lambda_od", "lambda_d", "lambda_gd", "lambda_gc", "capacity")
WEIGHTS += ("lambda_sw", "lambda_adv", "lambda_decoder", "perceptual_weight", "pixel_weight", "discriminator_weight")
WEIGHTS += ("discriminator_start", "triplet_weight", "margin")
sides = st.integers(1, 20)
weights = st.one_of(st.just(0.0), st.floats(1e-3, 10), st.floats(10, 1e6))


@st.composite
def cases(draw) -> tuple[dict[str, Any], torch.Tensor, torch.Tensor]:
    """Draw the configuration of a model, images and labels."""
    shape = [draw(st.integers(1, 3)), draw(sides), draw(sides)]
    model = draw(st.sampled_from(MODELS))
    network = "ladder" if model == "vdvae" else draw(st.sampled_from(NETWORKS))
    if network in ("celeba", "kim_mnih"):
        shape[1:] = [draw(st.sampled_from([16, 63, 64, 65])), 64]
    classes = draw(st.integers(1, 4))
    config = load_choice("model", model) | {
        "network": load_choice("model/network", network),
        "likelihood": load_choice("model/likelihood", draw(st.sampled_from(LIKELIHOODS))),
        "image_shape": shape,
        "num_classes": classes,
        "conditional": draw(st.booleans()),
        "latent_dim": draw(st.sampled_from([1, 2, 3, 4, 8])),
    }
    for name in WEIGHTS:
        if name in config:
            config[name] = draw(weights)
    if "scale_type" in config["likelihood"]:
        config["likelihood"]["scale_type"] = draw(st.sampled_from(["fixed", "model", "channel", "pixel", "optimal"]))
    if "window_size" in config["likelihood"]:
        config["likelihood"]["window_size"] = draw(st.sampled_from([3, 5, 11]))
    n = draw(st.integers(1, 5))
    torch.manual_seed(draw(st.integers(0, 9)))
    gray = draw(st.sampled_from([None, 0, 255]))
    x = torch.randint(256, (n, *shape)) if gray is None else torch.full((n, *shape), gray)
    y = torch.randint(classes, (n,)) if draw(st.booleans()) else torch.randint(2, (n, classes))
    return config, x.to(torch.uint8), y


def build(config: dict[str, Any]) -> ELBOModule | None:
    """Return the model, or None if its configuration raises a one-line UserError."""
    if "image_shape" in config["likelihood"]:
        config["likelihood"]["image_shape"] = config["image_shape"]
    try:
        model = instantiate(config, _convert_="all")
    except InstantiationException as error:
        if not isinstance(error.__cause__, UserError) or "\n" in str(error.__cause__):
            raise
        return None
    model.regularizer.dataset_size = 100
    return model


def total_loss(model: ELBOModule, out: ForwardPass, terms: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the loss of a batch, plus that of the discriminator if there is one."""
    if isinstance(model, AAE | VAEGAN | AutoencoderKL):  # FactorVAE's discriminator requires another batch of data
        return terms["loss"] + model.discriminator_loss(out)
    return terms["loss"]


@settings(reproducible, max_examples=200)
@given(cases())
def test_losses_and_gradients_are_finite_and_shapes_are_correct(case):
    config, x, y = case
    model = build(config)
    if model is None:
        return
    if isinstance(model, CVAEGAN | M2 | TVAE) and y.dim() == 2:
        y = y.argmax(1)
    out = model(x, y)
    terms = model.objective(out)
    assert all(value.shape == () and value.isfinite() for value in terms.values()), terms
    total_loss(model, out, terms).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())

    model.eval()
    for images in (model.reconstruct(x, y), model.sample(len(x), y if model.condition_dim else None)):
        assert images.shape == x.shape
        assert 0 <= images.min() <= images.max() <= 1
    if type(model).__name__ in ("VAE", "BetaVAE"):
        expected = terms["distortion"] + config.get("beta", 1.0) * terms["rate"]
        assert terms["objective"].item() == pytest.approx(expected.item(), rel=1e-5)


@reproducible
@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 3))
def test_each_epoch_contains_every_image_once(n, batch_size, epoch):
    batches = InMemoryLoader(Batch(torch.arange(n), torch.arange(n)), batch_size, EpochSampler(n, seed=0))
    batches.sampler.set_epoch(epoch)
    seen = list(batches)
    assert [len(batch.x) for batch in seen[:-1]] == [batch_size] * (len(batches) - 1)
    assert 1 <= len(seen[-1].x) <= batch_size
    assert sorted(torch.cat([batch.x for batch in seen]).tolist()) == list(range(n))
    assert all(torch.equal(batch.x, batch.y) for batch in seen)


@reproducible
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30), st.integers(1, 40))
def test_running_means_weight_batches_by_their_size(losses, batch_size):
    means = RunningMeans()
    for batch in torch.tensor(losses).split(batch_size):
        means.update(len(batch), {"loss": batch.mean()})
    mean = means.compute(lambda value: value)["loss"].item()
    assert mean == pytest.approx(sum(losses) / len(losses), abs=1e-2)
