"""Tests of the regularized autoencoder with a linear decoder, whose Jacobian is known."""

import pytest
import torch
from small_training import digits, quiet_trainer
from torch import Tensor, nn

from vae_lightning.distributions import DeltaDistribution, ForwardPass
from vae_lightning.errors import UserError
from vae_lightning.models import RAE
from vae_lightning.networks import ResNet


class Identity(nn.Module):
    """A "likelihood" whose mean is the decoder's output."""

    def forward(self, output: Tensor) -> DeltaDistribution:
        return DeltaDistribution(output)


def linear_rae(parts, weight: Tensor, **options) -> RAE:
    """Build a model whose decoder is z -> W z with W (64, D)."""
    model = RAE(**{**parts, "latent_dim": weight.shape[1]}, **options)
    model.decoder = nn.Sequential(nn.Linear(weight.shape[1], 64, bias=False), nn.Unflatten(1, (1, 8, 8)))
    model.decoder[0].weight.data = weight.clone()
    model.likelihood = Identity()
    return model


def forward_pass(z: Tensor) -> ForwardPass:
    return ForwardPass(torch.zeros(len(z), 1, 8, 8), None, DeltaDistribution(z), None, z, None)


def test_gradient_penalty_is_the_squared_norm_of_the_jacobian(parts):
    """Pixels with opposite gradients do not cancel; the estimate is unbiased in value and gradient."""
    half = torch.randn(32, 3)
    model = linear_rae(parts, torch.cat([half, -half]))
    weight = model.decoder[0].weight
    penalty = model.squared_jacobian(forward_pass(torch.randn(20_000, 3)))
    (gradient,) = torch.autograd.grad(penalty, weight)
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=0.02)
    torch.testing.assert_close(gradient, 2 * weight.detach(), rtol=0, atol=0.4)


def test_gradient_penalty_reaches_the_encoder_through_z(parts):
    """The Jacobian of tanh(w·z) is (1 - tanh²) w, which depends on z."""
    model = linear_rae(parts, torch.ones(64, 1))
    model.decoder.append(nn.Tanh())
    z = torch.full((1000, 1), 0.3, requires_grad=True)
    penalty = model.squared_jacobian(forward_pass(z))
    penalty.backward()
    slope = 1 - torch.tensor(0.3).tanh() ** 2
    assert penalty.item() == pytest.approx(64 * slope.item() ** 2, rel=0.15)
    assert (z.grad < 0).all()


@pytest.mark.parametrize(("variant", "tolerance"), [("l2", 1e-6), ("gp", 0.1)])
def test_loss_is_the_weighted_sum_of_its_terms(variant, tolerance, parts, images):
    model = RAE(variant=variant, beta=2.0, lambda_decoder=3.0, **parts)
    model.warmup = 0.5
    out = model(images)
    terms = {name: term.item() for name, term in model.objective(out).items()}
    assert terms["code_norm"] == pytest.approx(0.5 * out.z.square().sum(1).mean().item())
    assert terms["loss"] == pytest.approx(terms["distortion"] + terms["code_norm"] + 3 * terms["decoder_penalty"])
    assert terms["objective"] == pytest.approx(terms["loss"] + terms["code_norm"])
    if variant == "l2":
        assert terms["decoder_penalty"] == pytest.approx(
            sum(p.square().sum().item() for p in model.decoder.parameters())
        )


@pytest.mark.parametrize("conditional", [False, True])
def test_validation_in_inference_mode_computes_the_gradient_penalty(conditional, parts):
    model = RAE(**{**parts, "conditional": conditional})
    (metrics,) = quiet_trainer(inference_mode=True).validate(model, datamodule=digits(), verbose=False)
    assert metrics["val/decoder_penalty"] > 0


def test_attention_is_differentiated_twice(parts, images):
    model = RAE(**{**parts, "network": ResNet(channels=[4, 8], blocks=1, attention=True)})
    model.objective(model(images))["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_unknown_variant_raises(parts):
    with pytest.raises(UserError, match=r"^model.variant=sn: not a valid choice. Choose one of l2, gp.$"):
        RAE(variant="sn", **parts)
