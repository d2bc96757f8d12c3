"""Binarized and mirrored images."""

import lightning as L
import pytest
import torch

from vae_lightning.data import ArrayDataModule, Batch
from vae_lightning.data.transforms import binarized, flipped
from vae_lightning.distributed.batch_sharding import BatchShard
from vae_lightning.evaluation.context import draw_images
from vae_lightning.models import VAE
from vae_lightning.networks import MLP


@pytest.mark.parametrize("is_float", [False, True])
def test_binarized_pixel_is_white_with_the_probability_of_its_gray_value(is_float):
    x = torch.tensor([0, 51, 204, 255], dtype=torch.uint8).expand(100_000, 4)
    x = x / 255 if is_float else x
    white = binarized(x)
    assert white.dtype == torch.uint8
    assert set(white.unique().tolist()) == {0, 255}
    fraction = (white == 255).float().mean(0)
    torch.testing.assert_close(fraction, torch.tensor([0.0, 0.2, 0.8, 1.0]), atol=0.01, rtol=0)
    assert fraction[0] == 0
    assert fraction[3] == 1


def test_binarize_fixed_does_not_depend_on_the_seed(digits):
    one, two, gray = digits(binarize="fixed", seed=1), digits(binarize="fixed", seed=2), digits()
    for split in ("train", "val", "test"):
        assert torch.equal(one.splits[split].x, two.splits[split].x)
        assert not ((one.splits[split].x == 255) & (gray.splits[split].x == 0)).any()
    batch = Batch(one.splits["test"].x, None)
    assert one.on_after_batch_transfer(batch, 0).x is batch.x


def test_binarize_dynamic_differs_in_each_batch(digits):
    data = digits(binarize="dynamic")
    batch = next(iter(data.test_dataloader()))
    first, second = (data.on_after_batch_transfer(batch, 0).x for _ in range(2))
    assert set(first.unique().tolist()) == {0, 255}
    assert not torch.equal(first, second)
    assert set(data.random_batch(5, torch.device("cpu")).x.unique().tolist()) == {0, 255}


def test_flipped_mirrors_each_image_with_probability_one_half():
    x = torch.tensor([[1, 2, 3], [4, 5, 6]], dtype=torch.uint8).expand(10_000, 2, 2, 3)
    result = flipped(x)
    is_mirrored = result[:, 0, 0, 0] == 3
    assert is_mirrored.float().mean() == pytest.approx(0.5, abs=0.02)
    assert torch.equal(result[is_mirrored], x.flip(3)[is_mirrored])
    assert torch.equal(result[~is_mirrored], x[~is_mirrored])


def test_processes_flip_the_images_of_one_process(digits):
    data = digits(flip=True, binarize="dynamic")
    batch = data.splits["train"].rows(slice(7))
    torch.manual_seed(0)
    expected = data.transform(batch, training=True).x
    for rank in range(2):
        shard = BatchShard(rank, 2)
        shard.total = 7
        torch.manual_seed(0)
        with shard:
            assert torch.equal(data.transform(batch.rows(shard.rows), training=True).x, expected[shard.rows])


class Recorder(L.Callback):
    """Records which images of each batch are mirrored, if their left halves are white and their right halves black."""

    def __init__(self) -> None:
        self.mirrored = {"train": [], "val": [], "test": []}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.mirrored["train"].append(batch.x[:, 0, 0, 0] == 0)
        self.mirrored["train"].append(trainer.datamodule.random_batch(20, pl_module.device).x[:, 0, 0, 0] == 0)

    def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.mirrored["val"].append(batch.x[:, 0, 0, 0] == 0)

    def on_test_batch_start(self, trainer, pl_module, batch, batch_idx, dataloader_idx=0):
        self.mirrored["test"].append(batch.x[:, 0, 0, 0] == 0)


@pytest.mark.filterwarnings("ignore:`isinstance")  # Lightning's own use of torch
def test_flip_mirrors_training_images_only_and_anew_in_each_epoch():
    x = torch.zeros(40, 1, 8, 8)
    x[..., :4] = 1
    data = ArrayDataModule(x, val=x, test=x, flip=True, batch_size=40)
    recorder = Recorder()
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[recorder],
    )  # fmt: skip
    model = VAE(latent_dim=2, image_shape=data.image_shape, network=MLP(hidden_dims=[16]))
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    first, drawn, second, _ = recorder.mirrored["train"]
    assert first.any()
    assert not first.all()
    assert drawn.any()
    assert not torch.equal(first, second)
    assert len(recorder.mirrored["val"]) == 3  # with the sanity check
    assert not torch.cat(recorder.mirrored["val"] + recorder.mirrored["test"]).any()
    assert torch.equal(draw_images(data, "train", 40, seed=0).x, data.splits["train"].x)
