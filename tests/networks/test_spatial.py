"""Tests of networks whose latents form a map."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from vae_lightning.errors import UserError
from vae_lightning.models import AAE, AE, FSQVAE, HIWAE, HVAE, RVQVAE, VAE, VQVAE, BetaTCVAE, FactorVAE
from vae_lightning.networks import SpatialResNet
from vae_lightning.networks.base import VectorToMap

SMALL = SpatialResNet(channels=[4, 8, 8])


@pytest.mark.parametrize(("shape", "grid"), [((1, 28, 28), (7, 7)), ((3, 20, 33), (5, 9)), ((1, 1, 5), (1, 2))])
def test_latents_form_a_map(shape, grid):
    model = VAE(network=SMALL, latent_dim=3, image_shape=shape)
    assert model.latent_shape == (3, *grid)
    assert model.latent_dim == 3 * grid[0] * grid[1]
    x = torch.rand(2, *shape)
    assert model.encode(x).mu.shape == (2, model.latent_dim)
    assert model.reconstruct(x).shape == x.shape
    assert model.sample(4).shape == (4, *shape)
    with pytest.raises(UserError, match=rf"z must have shape \(B, {model.latent_dim}\)"):
        model.decode(torch.zeros(2, 3))


def test_position_of_the_map_describes_its_patch_of_the_image():
    """A change in one corner leaves the opposite one unchanged, without group norm, which sees the whole image."""
    model = VAE(network=SMALL, latent_dim=2, image_shape=(1, 64, 64)).eval()
    for module in model.encoder.modules():
        if isinstance(module, nn.GroupNorm):
            module.forward = lambda x: x
    x = torch.rand(1, 1, 64, 64)
    changed = x.clone()
    changed[..., :4, :4] = 1 - changed[..., :4, :4]
    before, after = (model.encode(image).mu.view(2, 16, 16) for image in (x, changed))
    assert not torch.equal(before[:, 0, 0], after[:, 0, 0])
    assert torch.equal(before[:, -3:, -3:], after[:, -3:, -3:])


def test_condition_becomes_planes():
    x = torch.arange(2 * 14.0).view(2, 14)
    y = VectorToMap((3, 2, 2))(x)
    assert y.shape == (2, 5, 2, 2)
    assert torch.equal(y[:, :3].flatten(1), x[:, :12])
    assert torch.equal(y[:, 3:], x[:, 12:, None, None].expand(-1, -1, 2, 2))
    model = VAE(network=SMALL, latent_dim=2, image_shape=(1, 8, 8), conditional=True, num_classes=3)
    z = torch.randn(2, model.latent_dim)
    images = [model.decode(z, torch.tensor([k, k])).mean for k in range(3)]
    assert not torch.equal(images[0], images[1])


@pytest.mark.parametrize("cls", [VAE, AE, BetaTCVAE, VQVAE, FSQVAE, RVQVAE])
def test_models_train_with_maps(cls):
    options = {"latent_dim": 4, "network": SMALL, "image_shape": (1, 12, 8)}
    model = cls(**options)
    model.regularizer.dataset_size = 100
    out = model(torch.rand(5, 1, 12, 8))
    terms = model.objective(out)
    terms["loss"].backward()
    assert all(value.isfinite() for value in terms.values())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert out.z.shape == (5, 4 * 3 * 2)


def test_number_of_codes_and_rate_of_a_map():
    model = VQVAE(network=SMALL, latent_dim=4, code_dim=2, codebook_size=16, image_shape=(1, 12, 8))
    assert model.posterior.num_codes == 2 * 3 * 2
    terms = model.objective(model(torch.rand(5, 1, 12, 8)))
    assert_close(terms["rate"].item(), 12 * 4 * 0.6931471805599453)
    assert 0 < terms["codes_in_use"] <= 1
    assert model.sample_prior(3).shape == (3, 24)


@pytest.mark.parametrize("cls", [AAE, FactorVAE, HVAE, HIWAE])
def test_models_that_require_vectors_say_so(cls):
    with pytest.raises(UserError, match=rf"{cls.__name__} requires a vector of latents, not a map. Set model/network="):
        cls(network=SMALL, image_shape=(1, 8, 8))
