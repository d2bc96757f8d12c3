"""Tests of a prior that is learned for a trained model."""

from functools import partial

import lightning as L
import pytest
import torch

from vae_lightning.data import DigitsDataModule
from vae_lightning.distributions import DeltaPosterior, StandardNormal
from vae_lightning.errors import UserError
from vae_lightning.models import AE, FSQVAE, HVAE, LFQVAE, RVQVAE, VAE, VQVAE, HamiltonianVAE, LatentPrior
from vae_lightning.models.hamiltonian_vae import HamiltonianDraw
from vae_lightning.networks import MLP, SpatialResNet
from vae_lightning.posteriors import Gamma
from vae_lightning.priors import CodePixelCNN, CodeTransformer, CouplingFlow, FlowMatching, GammaPrior, MixturePrior
from vae_lightning.regularizers import kl
from vae_lightning.training.messages import quiet_lightning

SHAPE = {"image_shape": (1, 8, 8), "network": MLP(hidden_dims=[8]), "latent_dim": 4}
QUANTIZED = (VQVAE, FSQVAE, partial(LFQVAE, code_dim=4), RVQVAE)
TRANSFORMER = partial(CodeTransformer, width=8, layers=1, heads=1)
PIXEL_CNN = partial(CodePixelCNN, width=8, layers=1)


def small_map_of_codes(**shape) -> VQVAE:
    """Return a VQ-VAE whose codes form a map of 4 x 4."""
    return VQVAE(**{**shape, "network": SpatialResNet(channels=[4, 4])}, codebook_size=8, code_dim=4)


def batch(n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Return random images and labels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (n, *SHAPE["image_shape"]), dtype=torch.uint8, generator=generator)
    return x, torch.arange(n) % 10


def fit(model: LatentPrior, epochs: int = 1, path: str = ".") -> L.Trainer:
    """Train a model on the digits."""
    quiet_lightning()
    trainer = L.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=path, num_sanity_val_steps=0,
    )  # fmt: skip
    trainer.fit(model, datamodule=DigitsDataModule(image_shape=(1, 8, 8), batch_size=256))
    return trainer


def test_objective_is_the_cross_entropy_of_the_posterior_and_the_prior():
    torch.manual_seed(0)
    autoencoder = VAE(**SHAPE)
    model = LatentPrior(autoencoder=autoencoder, prior=partial(MixturePrior, num_components=3)).eval()
    out = model(*batch())
    terms = model.objective(out)
    assert terms["objective"] == -out.pz.log_prob(out.z).mean()
    torch.testing.assert_close(terms["rate"], (out.qz.log_prob(out.z) - out.pz.log_prob(out.z)).mean())
    torch.testing.assert_close(terms["distortion"], -out.px.log_prob(out.x).mean())
    z = out.z
    assert torch.equal(model.decode(z).mean, autoencoder.decode(z).mean)


def test_rate_under_the_same_prior_is_that_of_the_autoencoder():
    torch.manual_seed(0)
    model = LatentPrior(autoencoder=VAE(**SHAPE), prior=StandardNormal).eval()
    x, _ = batch()
    torch.manual_seed(1)
    expected = model.autoencoder(x)
    torch.manual_seed(1)
    out = model(x)
    assert model.objective(out)["rate"] == kl(expected).mean()  # also in closed form
    assert model.objective(out)["distortion"] == -expected.px.log_prob(expected.x).mean()


def test_rate_of_codes_is_their_negative_log_probability():
    torch.manual_seed(0)
    autoencoder = FSQVAE(image_shape=(1, 8, 8), latent_dim=3, levels=[3, 2, 2])
    model = LatentPrior(autoencoder=autoencoder, prior=TRANSFORMER).eval()
    out = model(*batch())
    indices = out.qz.indices
    log_probs = model.prior.log_probs(indices, None).gather(2, indices[:, :, None]).sum((1, 2))
    torch.testing.assert_close(model.objective(out)["rate"], -log_probs.mean())


def test_latents_that_are_no_vectors_have_no_learned_prior():
    """The suggestions for the two possible choices do not contradict each other."""
    autoencoder = VAE(**SHAPE, posterior=Gamma, prior=GammaPrior)
    with pytest.raises(UserError, match=r"MixturePrior is a distribution of vectors, .* Set model/prior=gamma\."):
        LatentPrior(autoencoder=autoencoder)
    model = LatentPrior(autoencoder=autoencoder, prior=GammaPrior)
    with pytest.raises(UserError, match=r"nothing to learn\. No learned prior is a distribution of positive vectors"):
        model.configure_optimizers()


@pytest.mark.parametrize(
    ("autoencoder", "prior", "has_rate"),
    [(VAE, CouplingFlow, True), (AE, CouplingFlow, False), (VAE, FlowMatching, False), (VQVAE, TRANSFORMER, True)],
)
def test_rate_is_logged_where_it_exists(autoencoder, prior, has_rate):
    model = LatentPrior(autoencoder=autoencoder(**SHAPE), prior=prior).eval()
    terms = model.objective(model(*batch()))
    assert ("rate" in terms) == has_rate
    assert "distortion" in terms
    terms = model.train().objective(model(*batch()))
    assert terms.keys() == {"loss", "objective"}  # nothing is decoded


@pytest.mark.parametrize(
    ("autoencoder", "prior"),
    [
        *((VAE, MixturePrior), (VAE, CouplingFlow), (AE, FlowMatching), (small_map_of_codes, PIXEL_CNN)),
        *((q, TRANSFORMER) for q in QUANTIZED),
    ],
)
def test_training_improves_the_prior_and_leaves_the_autoencoder(autoencoder, prior, tmp_path):
    torch.manual_seed(0)
    model = LatentPrior(autoencoder=autoencoder(**SHAPE), prior=prior, optimizer=partial(torch.optim.Adam, lr=2e-3))
    before = {name: value.clone() for name, value in model.autoencoder.state_dict().items()}
    x, y = batch()
    first = fit(model, path=str(tmp_path)).callback_metrics["val/objective"]
    last = fit(model, epochs=4, path=str(tmp_path)).callback_metrics["val/objective"]
    assert last < first
    after = model.autoencoder.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)  # also moving averages of a codebook
    assert model.sample(3).shape == (3, 1, 8, 8)
    assert model.encode(x, y).mean.shape == (6, model.latent_dim)


def test_prior_is_initialized_once_with_the_scale_of_the_latents(tmp_path):
    torch.manual_seed(0)
    model = LatentPrior(autoencoder=AE(**SHAPE), prior=CouplingFlow)
    assert not model.is_initialized
    fit(model, path=str(tmp_path))
    data = DigitsDataModule(image_shape=(1, 8, 8))
    data.setup()
    z = model.encode(data.splits["train"].x).mean
    torch.testing.assert_close(model.prior.shift, z.mean(0), atol=0.1, rtol=0)
    torch.testing.assert_close(model.prior.scale, z.std(0), rtol=0.2, atol=0)
    model.prior.shift.fill_(7.0)
    fit(model, path=str(tmp_path))
    assert (model.prior.shift == 7).all()


def test_labels_of_the_prior_alone():
    torch.manual_seed(0)
    model = LatentPrior(autoencoder=VAE(**SHAPE), prior=FlowMatching, conditional=True, num_classes=10)
    assert model.condition_dim == 10
    assert model.autoencoder.condition_dim == 0
    assert model.sample(3, torch.tensor([0, 1, 2])).shape == (3, 1, 8, 8)
    with pytest.raises(UserError, match="this model is conditional"):
        model.sample(3)


def test_conditional_autoencoder_passes_on_its_labels():
    model = LatentPrior(autoencoder=VAE(**SHAPE, conditional=True, num_classes=10), prior=MixturePrior)
    x, y = batch()
    assert model.sample(6, y).shape == x.shape
    assert model.eval().objective(model(x, y))["rate"] > 0


def test_latents_are_those_that_the_decoder_was_trained_on():
    """Of a Hamiltonian VAE, these are z_K, whose density is not that of a Gaussian."""
    torch.manual_seed(0)
    autoencoder = HamiltonianVAE(**SHAPE).eval()
    model = LatentPrior(autoencoder=autoencoder, prior=StandardNormal).eval()
    x, _ = batch()
    noise = torch.randn(3 * len(x), model.noise_dim)
    assert model.noise_dim == 8
    expected, actual = autoencoder.infer(x, num_samples=3, noise=noise), model.infer(x, num_samples=3, noise=noise)
    assert torch.equal(actual[2], expected[2])
    assert torch.equal(actual[0].log_prob(actual[2]), expected[0].log_prob(expected[2]))
    assert isinstance(model(x).qz, HamiltonianDraw)


def test_own_encode_does_not_count_as_a_learned_prior():
    class Own(VAE):
        def encode(self, x, y=None):
            return super().encode(x, y)

    LatentPrior(autoencoder=Own(**SHAPE))


def test_parts_that_do_not_fit_raise():
    with pytest.raises(UserError, match="MixturePrior does not model codes"):
        LatentPrior(autoencoder=VQVAE(**SHAPE))
    with pytest.raises(UserError, match="the latents are not codes"):
        LatentPrior(autoencoder=VAE(**SHAPE), prior=CodeTransformer)
    with pytest.raises(UserError, match="HVAE has a learned prior already"):
        LatentPrior(autoencoder=HVAE(**SHAPE))
    with pytest.raises(UserError, match="LatentPrior has a learned prior already"):
        LatentPrior(autoencoder=LatentPrior(autoencoder=VAE(**SHAPE)))
    with pytest.raises(UserError, match="MixturePrior does not use labels"):
        LatentPrior(autoencoder=VAE(**SHAPE), conditional=True, num_classes=10)
    with pytest.raises(UserError, match="the data has no labels"):
        LatentPrior(autoencoder=VAE(**SHAPE), prior=FlowMatching, conditional=True)
    with pytest.raises(UserError, match="nothing to learn"):
        LatentPrior(autoencoder=VAE(**SHAPE), prior=StandardNormal).configure_optimizers()
    with pytest.raises(UserError, match="FlowMatching has no density"):
        VAE(**SHAPE, prior=FlowMatching)


def test_deterministic_posterior_has_no_rate():
    model = LatentPrior(autoencoder=AE(**SHAPE), prior=MixturePrior)
    assert isinstance(model.posterior, DeltaPosterior)
    assert model.regularizer.effective_weights(1.0) == {}


def test_scheduler_changes_the_learning_rate_of_the_prior(tmp_path):
    scheduler = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.5)
    model = LatentPrior(autoencoder=VAE(**SHAPE), scheduler=scheduler)
    trainer = fit(model, epochs=2, path=str(tmp_path))
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-3 / 4)


def test_draws_of_a_hamiltonian_autoencoder_have_no_graph():
    model = LatentPrior(autoencoder=HamiltonianVAE(**SHAPE)).train()
    out = model(*batch())
    assert not out.z.requires_grad
    model.objective(out)["loss"].backward()
    assert model.prior.mu.grad is not None


def test_training_mode_is_that_of_the_prior():
    model = LatentPrior(autoencoder=VAE(**SHAPE)).train()
    assert model.prior.training
    assert not any(module.training for module in model.autoencoder.modules())
