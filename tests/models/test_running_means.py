"""Tests of means over images, independent of the batches."""

import pytest
import torch

from vae_lightning.errors import UserError
from vae_lightning.models.running_means import RunningMeans


def single_process(sums):
    """The sum over processes, if there is only one."""
    return sums


def test_batches_are_weighted_by_their_size():
    values = torch.arange(7.0)
    means = RunningMeans()
    for batch in values.split(3):
        means.update(len(batch), {"loss": batch.mean(), "rate": 2 * batch.mean()})
    assert means.compute(single_process)["loss"].item() == pytest.approx(3)
    assert means.compute(single_process)["rate"].item() == pytest.approx(6)


def test_sums_and_counts_of_processes_are_added_before_dividing():
    means = RunningMeans()
    means.update(1, {"loss": torch.tensor(10.0)})
    other = torch.tensor([3 * 2.0, 3.0])  # another process: 3 images with mean 2
    assert means.compute(lambda sums: sums + other)["loss"].item() == pytest.approx((10 + 6) / 4)


def test_terms_may_be_numbers_in_any_order():
    means = RunningMeans()
    means.update(1, {"loss": torch.tensor(1.0), "a": 1.0, "b": 2})
    means.update(1, {"b": 4, "loss": torch.tensor(1.0), "a": torch.tensor(3.0)})
    assert {name: value.item() for name, value in means.compute(single_process).items()} == {"loss": 1, "a": 2, "b": 3}


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({}, r"^objective: hard is missing in some batches\. Return the same terms for all"),
        ({"hard": torch.zeros(7)}, r"^objective: hard has shape \(7,\)\. Average it over the batch"),
    ],
)
def test_terms_that_have_no_mean_are_rejected(terms, message):
    means, loss = RunningMeans(), {"loss": torch.tensor(1.0)}
    means.update(1, {**loss, "hard": torch.tensor(1.0)})
    with pytest.raises(UserError, match=message):
        means.update(1, {**loss, **terms})


def test_no_batches_give_no_means():
    assert RunningMeans().compute(single_process) == {}


def test_saved_state_can_be_resumed():
    first, second = RunningMeans(), RunningMeans()
    first.update(2, {"loss": torch.tensor(1.0)})
    second.load_state_dict(first.state_dict(single_process))
    for means in (first, second):
        means.update(1, {"loss": torch.tensor(4.0)})
    assert first.compute(single_process) == second.compute(single_process) == {"loss": torch.tensor(2.0)}
