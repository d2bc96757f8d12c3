"""Tests of pairs of images that share most factors."""

import pytest
import torch

from vae_lightning.data import SpritesDataModule
from vae_lightning.distributed.batch_sharding import BatchShard
from vae_lightning.errors import UserError


def sprites(**options) -> SpritesDataModule:
    """Return a data module of 96 images, of which 66 are for training, after seeding. Orientation has one value."""
    torch.manual_seed(0)
    sizes = {"factor_sizes": [3, 2, 1, 4, 4], "val_size": 10, "test_size": 20, "image_shape": [1, 16, 16]}
    data = SpritesDataModule(**{**sizes, **options})
    data.setup()
    return data


@pytest.mark.parametrize("k", [1, 2, 3])
def test_pairs_differ_in_exactly_k_factors_and_are_training_images(k):
    data = sprites(pairs=k)
    x, y = data.splits["train"]
    partners = data.random_partners(y.repeat(50, 1))
    assert ((partners.y != y.repeat(50, 1)).sum(1) == k).all()
    cells = {tuple(factors): image for factors, image in zip(y.tolist(), x, strict=True)}
    assert all(torch.equal(cells[tuple(f)], image) for f, image in zip(partners.y.tolist(), partners.x, strict=True))


def test_pairs_of_a_random_number_of_factors_differ_in_one_to_all_but_one():
    data = sprites(pairs="random")
    y = data.splits["train"].y.repeat(100, 1)
    counts = (data.random_partners(y).y != y).sum(1).bincount()
    assert counts[0] == 0
    torch.testing.assert_close(counts[1:] / len(y), torch.full((3,), 1 / 3), atol=0.02, rtol=0)  # of four that vary


def test_every_partner_that_is_not_held_out_is_equally_likely():
    data = sprites(pairs=1, val_size=0, test_size=1)
    y = data.splits["train"].y
    first = y[(y != y[0]).any(1)][:1]  # any image
    partners = data.random_partners(first.repeat(40_000, 1)).y
    for factor, size in enumerate(data.factor_sizes):
        changed = partners[partners[:, factor] != first[:, factor], factor]
        if size == 1:
            assert not len(changed)
            continue
        assert len(changed) / len(partners) == pytest.approx(1 / 4, abs=0.02)
        counts = changed.bincount(minlength=size)
        others = counts[torch.arange(size) != first[0, factor]] / len(changed)
        torch.testing.assert_close(others, torch.full((size - 1,), 1 / (size - 1)), atol=0.02, rtol=0)


def test_image_whose_partners_are_all_held_out_is_its_own_partner():
    data = sprites(pairs=1, factor_sizes=[1, 1, 1, 1, 2], val_size=0, test_size=1)
    assert torch.equal(data.random_partners(data.splits["train"].y).y, data.splits["train"].y)


def test_processes_draw_the_partners_of_one_process():
    data = sprites(pairs="random")
    y = data.splits["train"].y[:7]
    torch.manual_seed(0)
    expected = data.random_partners(y).y
    for rank in range(2):
        shard = BatchShard(rank, 2)
        shard.total = 7
        torch.manual_seed(0)
        with shard:
            assert torch.equal(data.random_partners(y[shard.rows]).y, expected[shard.rows])


def test_images_labeled_by_factors_cannot_be_flipped():
    with pytest.raises(UserError, match=r"^data\.flip=true: the labels are factors, which differ for a mirrored"):
        sprites(flip=True)


def test_more_factors_than_there_are_are_rejected():
    with pytest.raises(UserError, match=r"^data\.pairs=5: only 4 of the factors have several values\. Set"):
        sprites(pairs=5)
    with pytest.raises(UserError, match=r"^data\.pairs=random: only 1 of the factors have several values"):
        sprites(pairs="random", factor_sizes=[1, 1, 1, 1, 96])
