"""Means over images, whatever the batches."""

import pytest
import torch

from vae_lightning.models.running_means import RunningMeans


def alone(sums):
    """There is one process."""
    return sums


def test_a_short_last_batch_weighs_what_it_should():
    values = torch.arange(7.0)
    means = RunningMeans()
    for batch in values.split(3):
        means.update(len(batch), {"loss": batch.mean(), "rate": 2 * batch.mean()})
    assert means.compute(alone)["loss"].item() == pytest.approx(3)
    assert means.compute(alone)["rate"].item() == pytest.approx(6)


def test_processes_are_summed_up_before_the_division():
    means = RunningMeans()
    means.update(1, {"loss": torch.tensor(10.0)})
    other = torch.tensor([3 * 2.0, 3.0])  # of another process: 3 images of mean 2
    assert means.compute(lambda sums: sums + other)["loss"].item() == pytest.approx((10 + 6) / 4)


def test_nothing_has_no_mean():
    assert RunningMeans().compute(alone) == {}


def test_a_saved_state_goes_on():
    first, second = RunningMeans(), RunningMeans()
    first.update(2, {"loss": torch.tensor(1.0)})
    second.load_state_dict(first.state_dict(alone))
    for means in (first, second):
        means.update(1, {"loss": torch.tensor(4.0)})
    assert first.compute(alone) == second.compute(alone) == {"loss": torch.tensor(2.0)}
