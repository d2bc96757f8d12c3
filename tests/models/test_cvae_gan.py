"""Tests of the CVAE-GAN."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from adversarial_models import cvae_gan

from vae_lightning.distributions import ClassConditional, Gaussian
from vae_lightning.errors import UserError
from vae_lightning.models import CVAEGAN
from vae_lightning.models.cvae_gan import ClassCenters
from vae_lightning.networks import SpatialResNet

Y = torch.tensor([0, 1, 2, 3, 9, 9, 9])
WEIGHTS = {"beta": 2.0, "gamma": 0.5, "lambda_gd": 0.3, "lambda_gc": 0.2}


@pytest.fixture
def model(parts):
    return cvae_gan(**{**parts, "likelihood": Gaussian(sigma=1.0)}, **WEIGHTS)


def gradients(loss, module):
    return torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)


def test_centers_are_moving_averages_of_batch_means():
    centers = ClassCenters(num_classes=3, num_features=1, decay=0.75)
    column = partial(torch.tensor, dtype=torch.float32)
    real, generated = column([[1], [3], [5]]), column([[0], [0], [1]])
    first = centers(real, generated, torch.tensor([0, 0, 1]))
    assert first[..., 0].tolist() == [[2, 5, 0], [0, 1, 0]]  # the first batch of a class sets its center
    generated = column([[8], [12]]).requires_grad_()
    second = centers(column([[6], [6]]), generated, torch.tensor([0, 0]))
    assert second[..., 0].tolist() == [[3, 5, 0], [2.5, 1, 0]]  # 0.75 · 2 + 0.25 · 6 and 0.75 · 0 + 0.25 · 10
    assert torch.equal(centers.centers, second)
    assert centers.batches.tolist() == [2, 1, 0]
    second[1, 0].backward()
    assert generated.grad.tolist() == [[0.5], [0.5]]  # that of the batch mean

    centers.eval()
    third = centers(column([[7]]), column([[9]]), torch.tensor([2]))
    assert third[..., 0].tolist() == [[3, 5, 7], [2.5, 1, 9]]
    assert torch.equal(centers.centers, second)


def expected_terms(model, images):
    """Compute all terms of the first batch of a model as in Algorithm 1 of the paper, which has no moving average."""
    x = model.as_images(images)
    qz = model.encode(x, Y)
    reconstructions = model.decode(qz.rsample(), Y).mean
    samples = model.decode(torch.randn(7, 3), Y).mean
    f_d, f_c = (
        [network(i)[0] for i in (x, reconstructions, samples)] for network in (model.discriminator, model.classifier)
    )
    class_means = [torch.stack([f[c == Y].mean(0) for c in (0, 1, 2, 3, 9)]) for f in f_c]
    squared = [0.5 * (a - b).square().flatten(1).sum(1).mean() for a, b in ((x, reconstructions), f_d[:2], f_c[:2])]
    return {
        "rate": 0.5 * (qz.mu.square() + qz.logvar.exp() - qz.logvar - 1).sum(1).mean(),
        "pixels": squared[0],
        "feature_distortion": squared[1] + squared[2],
        "feature_matching": 0.5 * (f_d[0].mean(0) - f_d[2].mean(0)).square().sum(),
        "class_feature_matching": 0.5 * (class_means[0] - class_means[2]).square().sum(),
        "classifier_loss": -model.classifier(x)[1].log_softmax(1)[torch.arange(7), Y].mean(),
    }


def test_terms_and_gradients_are_those_of_the_paper(model, images):
    """Bao et al. 2017, Algorithm 1: β KL + L_G for the encoder, γ L_G and the two matching terms for the decoder."""
    torch.manual_seed(1)
    expected = expected_terms(model, images)
    torch.manual_seed(1)
    terms = model.objective(model(images, Y))
    pixels = expected.pop("pixels")
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=name)
    torch.testing.assert_close(terms["distortion"], pixels + 32 * torch.tensor(2 * torch.pi).log())
    torch.testing.assert_close(terms["objective"], terms["distortion"] + terms["rate"])

    pairwise = pixels + expected["feature_distortion"]
    matching = 0.3 * expected["feature_matching"] + 0.2 * expected["class_feature_matching"]
    losses = {model.encoder: 2 * expected["rate"] + pairwise, model.decoder: 0.5 * pairwise + matching}
    for module, loss in losses.items():
        for actual, other in zip(gradients(terms["loss"], module), gradients(loss, module), strict=True):
            torch.testing.assert_close(actual, other)


def test_discriminator_loss_is_the_sum_of_two_cross_entropies(model, images):
    out = model(images, Y)
    torch.manual_seed(1)
    loss = model.discriminator_loss(out)
    torch.manual_seed(1)
    samples = model.decode(torch.randn(7, 3), Y).mean
    real, fake, sample = (model.discriminator(i)[1].sigmoid() for i in (out.x, out.px.mean, samples))
    discriminator = -(real.log() + (1 - fake).log() + (1 - sample).log()).mean()
    torch.testing.assert_close(loss, discriminator + F.cross_entropy(model.classifier(out.x)[1], Y))
    loss.backward()
    trained = set(model.discriminator_parameters())
    assert trained == {*model.discriminator.parameters(), *model.classifier.parameters()}
    assert all((p.grad is not None) == (p in trained) for p in model.parameters())


def test_matching_gives_encoder_and_prior_no_gradient(parts, images):
    model = cvae_gan(**parts, prior=ClassConditional)
    terms = model.objective(model(images, Y))
    (terms["feature_matching"] + terms["class_feature_matching"]).backward()
    others = [*model.encoder.parameters(), *model.posterior.parameters(), *model.prior.parameters()]
    assert all(p.grad is None for p in others)
    assert all(p.grad is not None for p in model.decoder.parameters())


def test_validation_does_not_change_the_centers(model, images):
    model.objective(model(images, Y))
    before = model.class_centers.centers.clone()
    assert before[:, Y].any()
    model.eval()
    model.objective(model(images, Y.flip(0)))
    assert torch.equal(model.class_centers.centers, before)


def test_maps_of_latents_and_other_image_shapes_work():
    model = CVAEGAN(image_shape=(3, 5, 8), num_classes=10, network=SpatialResNet(channels=[4, 8]), latent_dim=2)
    out = model(torch.rand(7, 3, 5, 8), Y)
    assert model.class_centers.centers.shape == (2, 10, 8 * 3 * 4)
    assert model.objective(out)["loss"].isfinite()
    assert model.discriminator_loss(out).isfinite()


def test_terms_are_float32_under_half_precision_and_float64_in_double(model, images):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.objective(model(images, Y))
    assert {term.dtype for term in terms.values()} == {torch.float32}
    assert model.double().objective(model(images, Y))["loss"].dtype == torch.float64


def test_model_without_classes_is_rejected(parts, images):
    with pytest.raises(UserError, match=r"^model\.conditional=false: CVAEGAN requires classes\. Set model\.cond"):
        CVAEGAN(**parts)
    with pytest.raises(UserError, match=r"^model\.conditional=true: the data has no labels\."):
        CVAEGAN(image_shape=(1, 8, 8))
    with pytest.raises(UserError, match=r"^model=cvae_gan: requires one class per image, got 10 attributes\. Set"):
        cvae_gan(**parts)(images, torch.ones(7, 10))
