"""Tests of the β-TCVAE."""

import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.models import BetaTCVAE


def test_weights_of_1_give_the_vae_with_a_sampled_kl(parts, images):
    model = BetaTCVAE(beta=1.0, alpha=1.0, gamma=1.0, estimator="weighted", **parts)
    model.regularizer.dataset_size = 100
    out = model(images)
    terms = model.objective(out)
    sampled = (out.qz.log_prob(out.z) - out.pz.log_prob(out.z)).mean()
    torch.testing.assert_close(terms["loss"], terms["distortion"] + sampled)


def test_negative_weight_is_rejected(parts):
    with pytest.raises(UserError, match=r"^model\.alpha=-1\.0, .*: weights must be >= 0\.$"):
        BetaTCVAE(beta=1.0, alpha=-1.0, gamma=1.0, estimator="weighted", **parts)
