"""Tests of the deep feature consistent VAE."""

import torch

from vae_lightning.models import DFCVAE
from vae_lightning.models.perceptual import RandomFeatureDistance


def test_loss_is_the_weighted_sum_of_its_terms(parts, images):
    model = DFCVAE(pixel_weight=0.5, perceptual_weight=2.0, beta=3.0, **parts)
    model.warmup = 0.25
    out = model(images)
    terms = model.objective(out)
    perceptual = 64 * RandomFeatureDistance(1)(out.x, out.px.mean).mean()
    torch.testing.assert_close(terms["perceptual"], perceptual)
    torch.testing.assert_close(terms["loss"], 0.5 * terms["distortion"] + 2 * perceptual + 0.75 * terms["rate"])
    torch.testing.assert_close(terms["objective"], 0.5 * terms["distortion"] + 2 * perceptual + 3 * terms["rate"])
