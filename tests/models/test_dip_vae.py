"""Tests of the DIP-VAE."""

from functools import partial

import pytest

from vae_lightning.distributions import VampPrior
from vae_lightning.errors import UserError
from vae_lightning.models import DIPVAE


def test_other_prior_is_rejected(parts):
    message = r"^model/prior: DIPVAE requires N\(0, I\)\. Set model/prior=standard_normal\.$"
    with pytest.raises(UserError, match=message):
        DIPVAE(**parts, prior=partial(VampPrior, num_components=2))
