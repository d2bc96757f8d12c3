"""Tests of the order and the batches of an epoch, in one process and in several, and of resuming it."""

from itertools import chain

import pytest
import torch

from vae_lightning.data import Batch, EpochSampler, InMemoryLoader
from vae_lightning.distributed.batch_sharding import BatchShard
from vae_lightning.errors import UserError

SPLIT = Batch(torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1), torch.arange(10))


def epoch(loader: InMemoryLoader) -> list[int]:
    """Return the labels of an epoch."""
    return [int(i) for batch in loader for i in batch.y]


def test_loader_visits_every_image_once_per_epoch():
    loader = InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))
    assert sorted(epoch(loader)) == list(range(10))
    assert [len(batch.x) for batch in loader] == [4, 4, 2]
    assert len(loader) == 3


def test_sampler_order_depends_on_seed_and_epoch_only():
    orders = set()
    for seed in (0, 1):
        for number in (0, 1):
            sampler = EpochSampler(10, seed=seed)
            sampler.set_epoch(number)
            assert torch.equal(sampler.indices(), sampler.indices())
            orders.add(tuple(sampler.indices().tolist()))
    assert len(orders) == 4


def test_sampler_without_a_seed_keeps_the_order():
    assert epoch(InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=None))) == list(range(10))


def test_loader_keeps_images_and_labels_aligned():
    for x, y in InMemoryLoader(SPLIT, 3, EpochSampler(10, seed=0)):
        assert x.dtype == torch.uint8
        assert torch.equal(x.flatten().long(), y)


def test_loader_of_unlabeled_images_yields_no_labels():
    assert all(batch.y is None for batch in InMemoryLoader(Batch(SPLIT.x, None), 3, EpochSampler(10, seed=0)))


@pytest.mark.parametrize("n", [4, 9, 12, 13, 14])
@pytest.mark.parametrize("world_size", [2, 3, 4])
@pytest.mark.parametrize("seed", [None, 0])
def test_loader_in_several_processes_drops_and_repeats_no_image(seed, world_size, n):
    split = Batch(SPLIT.x.repeat(2, 1, 1, 1)[:n], torch.arange(n))
    single = [batch.y.tolist() for batch in InMemoryLoader(split, 2 * world_size, EpochSampler(n, seed=seed))]
    shards = [BatchShard(rank, world_size) for rank in range(world_size)]
    loaders = [InMemoryLoader(split, 2 * world_size, EpochSampler(n, seed=seed), shard) for shard in shards]
    assert len({len(loader) for loader in loaders}) == 1
    combined = []
    for batches in zip(*loaders, strict=True):
        rows = torch.full((shards[0].total,), -1)
        for shard, batch in zip(shards, batches, strict=True):
            assert len(batch.y) == shard.size > 0
            rows[shard.rows] = batch.y
        combined.append(rows.tolist())
    assert list(chain(*combined)) == list(chain(*single))
    if len(single[-1]) >= world_size:  # a shorter remainder is added to the batch before it
        assert combined == single


def test_loader_rejects_fewer_images_than_processes():
    with pytest.raises(UserError, match=r"trainer.devices=11: there are only 10 images"):
        InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=None), BatchShard(0, 11))


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_loader_resumes_with_the_next_batch(done):
    complete = [batch.y.tolist() for batch in InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))]
    interrupted = InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))
    iterator = iter(interrupted)
    for _ in range(done):
        next(iterator)

    resumed = InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))
    resumed.load_state_dict(interrupted.state_dict())
    assert [batch.y.tolist() for batch in resumed] == complete[done:]
    assert [batch.y.tolist() for batch in resumed] == complete


def test_loader_rejects_an_incomplete_epoch_of_other_batches():
    interrupted = InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))
    next(iter(interrupted))
    for loader in (InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0)), InMemoryLoader(SPLIT, 4, interrupted.sampler)):
        loader.load_state_dict(interrupted.state_dict())
        loader.check_resumed()
    two_processes = InMemoryLoader(SPLIT, 8, EpochSampler(10, seed=0), BatchShard(0, 2))
    two_processes.load_state_dict(interrupted.state_dict())
    with pytest.raises(
        UserError, match=r"of 3 batches of 4 images with seed 0, but now there are 2 batches of 8 images"
    ):
        two_processes.check_resumed()
    two_processes.load_state_dict({"epoch": 0, "position": 1})  # of an older version
    two_processes.check_resumed()


def test_loader_ignores_a_restored_position_in_another_epoch():
    loader = InMemoryLoader(SPLIT, 4, EpochSampler(10, seed=0))
    loader.load_state_dict({"epoch": 0, "position": 2})
    loader.sampler.set_epoch(1)
    assert len(epoch(loader)) == 10
