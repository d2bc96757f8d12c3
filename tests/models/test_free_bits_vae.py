"""Tests of the VAE with free bits."""

import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.models import FreeBitsVAE


def test_nelbo_does_not_include_the_minimum(parts, images):
    model = FreeBitsVAE(free_bits=100.0, group_size=3, **parts)
    terms = model.objective(model(images))
    torch.testing.assert_close(terms["loss"], terms["distortion"] + 100)
    assert terms["rate"] < 10


def test_group_that_does_not_divide_the_latents_is_rejected(parts):
    with pytest.raises(UserError, match=r"^model\.group_size=2: must divide 3, the number of latents\. Set"):
        FreeBitsVAE(group_size=2, **parts)
