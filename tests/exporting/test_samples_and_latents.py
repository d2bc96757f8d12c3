"""Tests of the commands that write samples and latents."""

import numpy as np
import pytest
import torch
from PIL import Image

import vae_lightning
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.cli.main import main
from vae_lightning.errors import UserError
from vae_lightning.exporting import samples
from vae_lightning.exporting.latents import write_latents
from vae_lightning.exporting.samples import write_samples
from vae_lightning.training.train import train


@pytest.fixture
def run(small, tmp_path):
    train(small("trainer.max_epochs=1", "logger=none"))
    return tmp_path / "run"


def test_samples_are_those_of_the_model_in_any_number_of_passes(run, tmp_path, monkeypatch, capsys):
    main(["sample", str(run), "-n", "5", "--out", str(tmp_path / "a"), "--seed", "3"])
    assert capsys.readouterr().out.strip().endswith("a")
    files = sorted((tmp_path / "a").iterdir())
    assert [file.name for file in files] == [f"{i:06}.png" for i in range(5)]
    expected = vae_lightning.load(run).sample(5, generator=torch.Generator().manual_seed(3))
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    assert np.array_equal(pixels, (255 * expected[:, 0]).round().numpy().astype(np.uint8))
    monkeypatch.setattr(samples, "PER_PASS", 5)
    write_samples(run, tmp_path / "b", n=12)
    assert len({file.read_bytes() for file in (tmp_path / "b").iterdir()}) == 12


def test_samples_of_a_conditional_model_are_a_labeled_data_set(small, tmp_path):
    train(small("model=cvae", "trainer.max_epochs=1", "logger=none"))
    folder = write_samples(tmp_path / "run", tmp_path / "all", n=40)
    assert sorted(path.name for path in folder.iterdir()) == [str(k) for k in range(10)]
    assert all(len(list(path.iterdir())) == 4 for path in folder.iterdir())
    some = write_samples(tmp_path / "run", tmp_path / "some", n=3, classes=[7, 2])
    files = sorted(path.relative_to(some).as_posix() for path in some.glob("*/*"))
    assert files == ["2/000001.png", "7/000000.png", "7/000002.png"]
    with pytest.raises(UserError, match=r"^--classes=12: the classes are 0 to 9\. Choose among them\.$"):
        write_samples(tmp_path / "run", tmp_path / "other", classes=[3, 12])


def test_invalid_options_of_samples_are_rejected(run, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(UserError, match=r"full: is not empty. Choose a new directory"):
        write_samples(run, tmp_path / "full")
    with pytest.raises(UserError, match=r"^--n=0: must be an integer >= 1"):
        write_samples(run, tmp_path / "new", n=0)
    with pytest.raises(UserError, match=r"^--classes: VAE is not conditional"):
        write_samples(run, tmp_path / "new", classes=[1])
    assert not (tmp_path / "new").exists()


def test_latents_are_in_the_order_of_the_data(run, capsys):
    main(["encode", str(run), "--split", "val"])
    assert capsys.readouterr().out.strip().endswith("latents-val.npz")
    loaded = load_run(run)
    x, y = loaded.data.splits["val"]
    q = loaded.model.encode(x, y)
    with np.load(run / "latents-val.npz") as file:
        assert set(file) == {"mean", "logvar", "y"}
        np.testing.assert_allclose(file["mean"], q.mean.numpy(), atol=1e-6)
        np.testing.assert_allclose(file["logvar"], q.logvar.numpy(), atol=1e-6)
        assert np.array_equal(file["y"], y.numpy())


def test_latents_of_all_splits_have_the_names_of_files(small, tmp_path, caplog):
    """The value of each image is in its name; a damaged one is skipped."""
    for i in range(20):
        file = tmp_path / "photos" / ("ant", "bee")[i % 2] / f"{i:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), 10 * i, np.uint8)).save(file)
    (tmp_path / "photos" / "ant" / "04.png").write_bytes(b"")
    options = [
        "data=image_folder",
        f"data.root={tmp_path / 'photos'}",
        "data.skip_corrupt=true",
        "data.val_fraction=0.2",
    ]
    train(small(*options, "data.image_shape=[1,8,8]", "trainer.max_epochs=1", "logger=none"))
    main(["encode", str(tmp_path / "run"), "--split", "all"])
    model = vae_lightning.load(tmp_path / "run")
    with np.load(tmp_path / "run" / "latents-all.npz") as file:
        assert set(file) == {"mean", "logvar", "y", "label_names", "names", "split"}
        assert len(file["names"]) == len(set(file["names"])) == 19
        assert dict(zip(*np.unique(file["split"], return_counts=True), strict=True)) == {
            "train": 13,
            "val": 4,
            "test": 2,
        }
        values = [10 * int(name[-6:-4]) for name in file["names"]]
        x = torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 8, 8)
        np.testing.assert_allclose(file["mean"], model.encode(x).mean.numpy(), atol=1e-6)
        assert [name[:3] for name in file["names"]] == file["label_names"][file["y"]].tolist()
        every = {name: file[name] for name in ("mean", "names", "split")}
    with np.load(write_latents(tmp_path / "run", split="val")) as file:
        assert file["names"].tolist() == every["names"][every["split"] == "val"].tolist()


def test_latents_are_those_of_binary_images_if_the_model_learned_from_them(small, tmp_path):
    train(small("data.binarize=dynamic", "trainer.max_epochs=1", "logger=none"))
    loaded = load_run(tmp_path / "run")
    torch.manual_seed(0)
    x, y = loaded.data.transform(loaded.data.splits["test"], training=False)
    with np.load(write_latents(tmp_path / "run")) as file:
        np.testing.assert_allclose(file["mean"], loaded.model.encode(x, y).mean.numpy(), atol=1e-6)


def test_latents_of_a_model_with_codes_have_indices(small, tmp_path):
    train(small("model=vq_vae", "model.latent_dim=8", "trainer.max_epochs=1", "logger=none"))
    with np.load(write_latents(tmp_path / "run", tmp_path / "codes.npz")) as file:
        assert set(file) == {"mean", "indices", "y"}
        assert file["indices"].shape == (360, 2)


def test_invalid_options_of_latents_are_rejected(run, tmp_path):
    with pytest.raises(UserError, match=r"^--split=x: not a valid choice. Choose one of train, val, test, all"):
        write_latents(run, split="x")
    with pytest.raises(UserError, match=r"^--out=.*a.npz: must be an .npz file in an existing directory"):
        write_latents(run, tmp_path / "nowhere" / "a.npz")
