"""Tests of the semi-supervised VAE against sums over all classes."""

import math

import pytest
import torch
import torch.nn.functional as F
from small_training import quiet_trainer

from vae_lightning.data import DigitsDataModule
from vae_lightning.distributions import ClassConditional, DiagonalGaussian, Gaussian
from vae_lightning.errors import UserError
from vae_lightning.models import M2, VAE
from vae_lightning.models.m2 import every_class
from vae_lightning.regularizers import kl_per_latent

Y = torch.tensor([0, 1, -1, 3, 9, -1, -1])


class Deterministic(DiagonalGaussian):
    """A posterior whose sample is its mean, so that sums can be compared term by term."""

    def rsample(self, noise=None):
        return self.mu


@pytest.fixture
def model(parts, monkeypatch) -> M2:
    """A model whose samples are posterior means, and whose prior depends on the class."""
    model = M2(**{**parts, "conditional": True, "prior": ClassConditional}).double()
    torch.nn.init.normal_(model.prior.mu.weight)
    model.posterior.register_forward_hook(lambda _, __, q: Deterministic(*q))
    return model


def terms_of_class(model: M2, x: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distortion and the rate of each image (B,) for class k, by the methods of any conditional model."""
    y = torch.full((len(x),), k)
    q = model.encode(x, y)
    log_px = model.decode(q.mu, y).log_prob(model.as_images(x))
    return -log_px, kl_per_latent(q, model.prior(model.encode, model.condition(y))).sum(1)


def test_every_class_occurs_once_per_image_and_the_label_comes_first():
    classes = every_class(torch.tensor([2, -1, 0]), 3)
    assert classes[0].tolist() == [2, 0, 0]
    assert classes.T.sort(dim=1).values.tolist() == [[0, 1, 2]] * 3


@torch.no_grad()
@pytest.mark.parametrize("warmup", [1.0, 0.25])
def test_loss_is_the_sum_over_classes_of_eqs_6_and_7(model, images, warmup):
    """L(x, y) for images with a label, U(x) for the others, and the mean cross-entropy of the former."""
    model.warmup = warmup
    terms = model.objective(model(images, Y))
    log_q = F.log_softmax(model.classifier(model.as_images(images))[1], dim=1)
    losses, marginals, cross_entropies = [], [], []
    by_class = [terms_of_class(model, images, k) for k in range(10)]
    for i, y in enumerate(Y.tolist()):
        joint = [d[i] + warmup * r[i] + math.log(10) for d, r in by_class]
        marginals.append(sum(log_q[i, k].exp() * (d[i] + r[i] + math.log(10) + log_q[i, k])
                             for k, (d, r) in enumerate(by_class)))  # fmt: skip
        losses.append(joint[y] if y >= 0 else sum(log_q[i, k].exp() * (joint[k] + log_q[i, k]) for k in range(10)))
        if y >= 0:
            cross_entropies.append(-log_q[i, y])
    cross_entropy = torch.stack(cross_entropies).mean()
    torch.testing.assert_close(terms["loss"], torch.stack(losses).mean() + 0.1 * cross_entropy)
    torch.testing.assert_close(terms["distortion"] + terms["rate"], torch.stack(marginals).mean())
    torch.testing.assert_close(terms["cross_entropy"], cross_entropy)


@torch.no_grad()
def test_nelbo_bounds_the_mixture_over_classes_and_is_tight_for_the_posterior_of_the_class(model, images):
    """U(x) >= -log Σ_y p(y) exp(-L(x, y)), with equality if q(y|x) is proportional to exp(-L(x, y))."""
    joint = torch.stack([sum(terms_of_class(model, images, k)) + math.log(10) for k in range(10)])  # (K, B)
    exact = -torch.logsumexp(-joint, dim=0).mean()
    unknown = torch.full((7,), -1)
    loose = model.objective(model(images, unknown))
    assert loose["loss"] > exact + 0.01
    model.classifier.register_forward_hook(lambda *_: (None, -joint.T))
    torch.testing.assert_close(model.objective(model(images, unknown))["objective"], exact)


@torch.no_grad()
def test_accuracy_counts_images_with_labels_only(model, images):
    model.classifier.register_forward_hook(lambda *_: (None, F.one_hot(torch.full((7,), 3), 10).double()))
    assert model.objective(model(images, Y))["accuracy"] == 0.25  # one of the four labels is 3
    unknown = model.objective(model(images, torch.full((7,), -1)))
    assert unknown["accuracy"] == unknown["cross_entropy"] == 0


@torch.no_grad()
def test_first_rows_are_those_of_the_conditional_vae(parts, images):
    """So figures and statistics of the posterior, which take the first B rows, are those of the labels."""
    options = {**parts, "conditional": True}
    model, cvae = M2(**options), VAE(**options)
    cvae.load_state_dict(model.state_dict(), strict=False)
    known = torch.arange(7)
    torch.testing.assert_close(model(images, known).qz.mu[:7], cvae.encode(images, known).mu)
    assert torch.equal(model.reconstruct(images, known), cvae.reconstruct(images, known))


@torch.no_grad()
def test_labels_of_other_images_enter_the_cross_entropy_only(model, images):
    out, labels = model(images, torch.full((7,), -1)), torch.arange(7)
    unlabeled, terms = model.objective(out), model.objective(out, (images, labels))
    torch.testing.assert_close(terms["cross_entropy"], F.nll_loss(model.classify(images), labels))
    torch.testing.assert_close(terms["loss"], unlabeled["loss"] + 0.1 * terms["cross_entropy"])


def test_invalid_labels_are_rejected(parts, images):
    with pytest.raises(UserError, match=r"^model\.conditional=false: M2 requires classes\."):
        M2(**parts)
    model = M2(**{**parts, "conditional": True})
    with pytest.raises(UserError, match=r"^model=m2: requires one class per image, got 10 attributes\. Set model=cvae"):
        model(images, torch.ones(7, 10))
    with pytest.raises(UserError, match=r"^y: this model is conditional\. Pass the labels"):
        model(images)


def test_scale_fitted_to_reconstructions_for_other_classes_is_rejected(parts):
    likelihood = Gaussian(scale_type="optimal")
    with pytest.raises(
        UserError, match=r"^model\.likelihood\.scale_type=optimal: M2 also decodes .*scale_type=model\.$"
    ):
        M2(**{**parts, "conditional": True, "likelihood": likelihood})
    VAE(**{**parts, "likelihood": likelihood})


def test_conditional_models_without_a_classifier_require_all_labels(parts):
    data = DigitsDataModule(labeled_per_class=5)
    data.setup()
    message = r"^data\.labeled_per_class=5: VAE with model\.conditional=true requires the label of every image\. Set"
    with pytest.raises(UserError, match=message):
        VAE(**{**parts, "conditional": True}).check_data(data)
    for model in (VAE(**parts), M2(**{**parts, "conditional": True})):
        model.check_data(data)


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_every_parameter_gets_a_finite_gradient(batch_size, parts, images):
    model = M2(**{**parts, "conditional": True})
    model.objective(model(images[:batch_size], Y[:batch_size]))["loss"].backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in model.parameters())


def test_all_terms_are_float32_under_half_precision(parts, images):
    model = M2(**{**parts, "conditional": True})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.objective(model(images, Y))
    assert {term.dtype for term in terms.values()} == {torch.float32}


def test_classifier_is_trained_on_images_with_labels(parts, images, monkeypatch):
    model, data, seen = M2(**{**parts, "conditional": True}), DigitsDataModule(labeled_per_class=2), []
    data.setup()
    model.trainer = quiet_trainer(max_steps=1)
    model.trainer.datamodule = data
    objective = model.objective
    monkeypatch.setattr(model, "objective", lambda out, labeled: seen.append(labeled) or objective(out))
    model.training_terms(model(images, Y))
    (labeled,) = seen
    assert len(labeled.y) == len(Y)
    assert (labeled.y >= 0).all()
