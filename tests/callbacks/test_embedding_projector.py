"""Tests of the files that TensorBoard's embedding projector reads."""

import numpy as np
import pytest
import torch
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from vae_lightning.callbacks.embedding_projector import write_projection
from vae_lightning.plotting.images import sprite
from vae_lightning.training.train import train


def test_a_run_writes_a_projection_of_its_images(small, tmp_path):
    train(small("callbacks.projector.num_images=50"))
    run = tmp_path / "run"
    config = text_format.Parse((run / "projector_config.pbtxt").read_text(), ProjectorConfig())
    (embedding,) = config.embeddings
    assert list(embedding.sprite.single_image_dim) == [8, 8]
    points = np.loadtxt(run / embedding.tensor_path, delimiter="\t")
    assert points.shape == (50, 3)
    labels = (run / embedding.metadata_path).read_text().splitlines()
    assert len(labels) == 50
    assert set(labels) <= set("0123456789")
    with Image.open(run / embedding.sprite.image_path) as picture:
        assert picture.size == (64, 64)  # 8 x 8 images of 8 x 8 pixels


@pytest.mark.parametrize("channels", [1, 3])
def test_sprite_arranges_images_row_by_row(channels):
    x = torch.rand(5, channels, 2, 4)
    picture = sprite(x)
    assert picture.shape == (6, 12, 3)
    np.testing.assert_allclose(picture[2:4, 0:4], (x[3] * 255).round().expand(3, -1, -1).permute(1, 2, 0))
    assert (picture[4:] == 0).all()


@pytest.mark.parametrize("d", [1, 2, 5])
def test_points_are_padded_to_three_dimensions(d, tmp_path):
    mu = torch.rand(4, d)
    write_projection(tmp_path, mu, torch.zeros(4, 1, 2, 2), None, [])
    points = np.loadtxt(tmp_path / "projector" / "tensors.tsv", delimiter="\t")
    assert points.shape == (4, max(3, d))
    np.testing.assert_allclose(points[:, :d], mu, rtol=1e-6)
    assert (points[:, d:] == 0).all()


def test_labels_are_class_names_attributes_or_absent(tmp_path):
    mu, x = torch.zeros(2, 3), torch.zeros(2, 1, 2, 2)
    table = tmp_path / "projector" / "metadata.tsv"
    write_projection(tmp_path, mu, x, None, [])
    assert not table.exists()
    assert "metadata" not in (tmp_path / "projector_config.pbtxt").read_text()
    write_projection(tmp_path, mu, x, torch.tensor([1, 0]), ["cat", "dog"])
    assert table.read_text() == "dog\ncat\n"
    write_projection(tmp_path, mu, x, torch.tensor([[1, 0], [0, 1]]), ["smiles", "frowns"])
    assert table.read_text() == "smiles\tfrowns\n1\t0\n0\t1\n"


def test_without_tensorboard_nothing_is_written(small, tmp_path):
    train(small("logger=none", "trainer.max_epochs=1"))
    assert not (tmp_path / "run" / "projector").exists()
