"""Orders and batches: every image once, the same order for the same seed and epoch, resumable."""

from itertools import chain

import pytest
import torch

from vae_lightning.data import Batch, EpochSampler, InMemoryLoader
from vae_lightning.distributed.batch_sharding import BatchShard
from vae_lightning.errors import UserError

SPLIT = Batch(torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1), torch.arange(10))


def epoch(batches: InMemoryLoader) -> list[int]:
    return [int(i) for batch in batches for i in batch.y]


def test_a_shuffled_epoch_visits_every_image_once():
    batches = InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))
    assert sorted(epoch(batches)) == list(range(10))
    assert [len(batch.x) for batch in batches] == [4, 4, 2]
    assert len(batches) == 3


def test_the_order_is_a_function_of_seed_and_epoch():
    orders = {}
    for seed in (0, 1):
        for number in (0, 1):
            order = EpochSampler(10, seed=seed)
            order.set_epoch(number)
            assert torch.equal(order.indices(), order.indices())
            orders[seed, number] = tuple(order.indices().tolist())
    assert len(set(orders.values())) == 4


def test_without_a_seed_the_order_is_that_of_the_data():
    assert epoch(InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=None))) == list(range(10))


def test_images_and_labels_stay_together_and_uint8():
    for x, y in InMemoryLoader(SPLIT, 3, EpochSampler(10, seed=0)):
        assert x.dtype == torch.uint8
        assert torch.equal(x.flatten().long(), y)


def test_unlabelled_data_gives_no_labels():
    assert all(batch.y is None for batch in InMemoryLoader(Batch(SPLIT.x, None), 3, EpochSampler(10, seed=0)))


@pytest.mark.parametrize("n", [4, 9, 12, 13, 14])
@pytest.mark.parametrize("world_size", [2, 3, 4])
@pytest.mark.parametrize("seed", [None, 0])
def test_processes_share_each_batch_and_drop_and_repeat_nothing(seed, world_size, n):
    split = Batch(SPLIT.x.repeat(2, 1, 1, 1)[:n], torch.arange(n))
    alone = [batch.y.tolist() for batch in InMemoryLoader(split, 2 * world_size, EpochSampler(n, seed=seed))]
    shares = [BatchShard(rank, world_size) for rank in range(world_size)]
    loaders = [InMemoryLoader(split, 2 * world_size, EpochSampler(n, seed=seed), share) for share in shares]
    assert len({len(loader) for loader in loaders}) == 1
    together = []
    for batches in zip(*loaders, strict=True):
        rows = torch.full((shares[0].total,), -1)
        for share, batch in zip(shares, batches, strict=True):
            assert len(batch.y) == share.size > 0
            rows[share.rows] = batch.y
        together.append(rows.tolist())
    assert list(chain(*together)) == list(chain(*alone))
    if len(alone[-1]) >= world_size:  # otherwise these join the batch before
        assert together == alone


def test_fewer_images_than_processes_are_refused():
    with pytest.raises(UserError, match=r"trainer.devices=11: there are only 10 images"):
        InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=None), BatchShard(0, 11))


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_restored_position_goes_on_with_the_next_batch(done):
    whole = [batch.y.tolist() for batch in InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))]
    cut = InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))
    iterator = iter(cut)
    for _ in range(done):
        next(iterator)

    resumed = InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))
    resumed.load_state_dict(cut.state_dict())
    assert [batch.y.tolist() for batch in resumed] == whole[done:]
    assert [batch.y.tolist() for batch in resumed] == whole


def test_a_restored_position_is_of_its_epoch_alone():
    batches = InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))
    batches.load_state_dict({"epoch": 0, "position": 2})
    batches.sampler.set_epoch(1)
    assert len(epoch(batches)) == 10
