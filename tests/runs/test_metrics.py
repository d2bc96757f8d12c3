"""What is known about metrics by their names."""

import pytest

from vae_lightning.runs.metrics import better_direction


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("test/nelbo", "lower"),
        ("samples/fid", "lower"),
        ("samples/precision", "higher"),
        ("disentanglement/mig", "higher"),
        ("disentanglement/gaussian_total_correlation", ""),
        ("test/rate", ""),
        ("val/mig", "higher"),
        ("val/active_units", ""),
    ],
)
def test_better_direction(metric, direction):
    assert better_direction(metric) == direction
