"""Orders and batches: every image once, the same order for the same seed and epoch, resumable."""

import pytest
import torch

from vae_lightning.data import Batch, Batches, Order

SPLIT = Batch(torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1), torch.arange(10))


def epoch(batches: Batches) -> list[int]:
    return [int(i) for batch in batches for i in batch.y]


def test_a_shuffled_epoch_visits_every_image_once():
    batches = Batches(SPLIT, 4, Order(10, seed=0))
    assert sorted(epoch(batches)) == list(range(10))
    assert [len(batch.x) for batch in batches] == [4, 4, 2]
    assert len(batches) == 3


def test_the_order_is_a_function_of_seed_and_epoch():
    orders = {}
    for seed in (0, 1):
        for number in (0, 1):
            order = Order(10, seed=seed)
            order.set_epoch(number)
            assert torch.equal(order.indices(), order.indices())
            orders[seed, number] = tuple(order.indices().tolist())
    assert len(set(orders.values())) == 4


def test_without_a_seed_the_order_is_that_of_the_data():
    assert epoch(Batches(SPLIT, 4, Order(10, seed=None))) == list(range(10))


def test_images_and_labels_stay_together_and_uint8():
    for x, y in Batches(SPLIT, 3, Order(10, seed=0)):
        assert x.dtype == torch.uint8
        assert torch.equal(x.flatten().long(), y)


def test_unlabelled_data_gives_no_labels():
    assert all(batch.y is None for batch in Batches(Batch(SPLIT.x, None), 3, Order(10, seed=0)))


@pytest.mark.parametrize("world_size", [2, 3, 4])
def test_processes_share_a_shuffled_epoch_in_equal_steps(world_size):
    orders = [Order(10, seed=0, rank=rank, world_size=world_size) for rank in range(world_size)]
    shares = [order.indices().tolist() for order in orders]
    assert len({len(share) for share in shares}) == 1
    assert [len(order) for order in orders] == [len(share) for share in shares]
    assert {i for share in shares for i in share} == set(range(10))


def test_processes_share_an_evaluation_without_repeating_an_image():
    orders = [Order(10, seed=None, rank=rank, world_size=3) for rank in range(3)]
    shares = [order.indices().tolist() for order in orders]
    assert [len(order) for order in orders] == [len(share) for share in shares] == [4, 3, 3]
    assert sorted(i for share in shares for i in share) == list(range(10))


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_restored_position_goes_on_with_the_next_batch(done):
    whole = [batch.y.tolist() for batch in Batches(SPLIT, 4, Order(10, seed=0))]
    cut = Batches(SPLIT, 4, Order(10, seed=0))
    iterator = iter(cut)
    for _ in range(done):
        next(iterator)

    resumed = Batches(SPLIT, 4, Order(10, seed=0))
    resumed.load_state_dict(cut.state_dict())
    assert [batch.y.tolist() for batch in resumed] == whole[done:]
    assert [batch.y.tolist() for batch in resumed] == whole


def test_a_restored_position_is_of_its_epoch_alone():
    batches = Batches(SPLIT, 4, Order(10, seed=0))
    batches.load_state_dict({"epoch": 0, "position": 2})
    batches.sampler.set_epoch(1)
    assert len(epoch(batches)) == 10
