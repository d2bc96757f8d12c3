"""Tests of the InfoVAE."""

import pytest

from vae_lightning.errors import UserError
from vae_lightning.models import InfoVAE


def test_negative_weight_of_the_kl_is_rejected(parts):
    with pytest.raises(UserError, match=r"^model\.alpha=2\.0, .* must be >= 0\.$"):
        InfoVAE(alpha=2.0, lambda_mmd=1.0, kernel="rbf", **parts)
