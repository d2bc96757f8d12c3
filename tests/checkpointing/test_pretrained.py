"""The trained models that come with the package."""

import pytest
import torch

import vae_lightning
from vae_lightning.errors import UserError
from vae_lightning.runs.pretrained import FOLDER, find_model, model_dir, pretrained_names

MAX_BYTES = 2 * 2**20


@pytest.mark.parametrize("name", pretrained_names())
def test_model_is_loaded_by_name_and_draws_images(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (FOLDER / f"{name}.safetensors").stat().st_size < MAX_BYTES
    assert f"| `{name}` |" in (FOLDER / "README.md").read_text()
    model = vae_lightning.load(name)
    y = torch.arange(4) if model.condition_dim else None
    x = model.sample(4, y, torch.Generator().manual_seed(0))
    assert x.shape == (4, *model.image_shape)
    assert x.std() > 0.1  # not gray: untrained models draw images close to 0.5
    assert (model.reconstruct(x, y) - x).square().mean() < 0.03  # its own samples are among what it was trained on


def test_there_are_models():
    assert {"mnist_vae_2d", "mnist_cvae_2d"} <= {*pretrained_names()}


def test_a_run_of_the_same_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist_vae_2d").mkdir()
    with pytest.raises(UserError, match=r"^mnist_vae_2d: no checkpoints/last.ckpt or best.ckpt here"):
        find_model("mnist_vae_2d")


def test_similar_name_is_answered_with_that_of_the_model():
    with pytest.raises(UserError, match=r"^mnist_vae: no such run or checkpoint. Did you mean mnist_vae_2d\?"):
        vae_lightning.load("mnist_vae")


def test_directory_of_a_pretrained_model_is_not_that_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model_dir(find_model("mnist_vae_2d")) == tmp_path / "runs" / "pretrained" / "mnist_vae_2d"
    (tmp_path / "folder").mkdir()
    file = tmp_path / "folder" / "model.safetensors"
    file.touch()
    assert model_dir(find_model("folder")) == model_dir(find_model(file)) == tmp_path / "folder"
