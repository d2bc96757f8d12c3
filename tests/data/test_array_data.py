"""Tests of arrays in memory and in NumPy files."""

import re

import lightning as L
import numpy as np
import pytest
import torch
from conftest import SMALL
from sklearn.datasets import load_digits

import vae_lightning
from vae_lightning.callbacks import Figures
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.data import ArrayDataModule
from vae_lightning.errors import UserError
from vae_lightning.evaluation.evaluate import evaluate
from vae_lightning.models import VAE
from vae_lightning.networks import MLP
from vae_lightning.training.train import train

X = np.arange(40 * 8 * 6, dtype=np.uint8).reshape(40, 8, 6)
Y = np.arange(40) % 4


def loaded(*arrays, **options) -> ArrayDataModule:
    """Return a data module after its setup."""
    data = ArrayDataModule(*arrays, **options)
    data.setup()
    return data


def sizes(data) -> dict[str, int]:
    """Return the number of images in each split."""
    return {name: len(split.x) for name, split in data.splits.items()}


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy, lambda x: x / 255, lambda x: np.float16(x / 255)])
@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (X, X[:, None]),
        (X[:, None], X[:, None]),
        (X[..., None], X[:, None]),
        (X.reshape(20, 8, 4, 3), X.reshape(20, 8, 4, 3).transpose(0, 3, 1, 2)),
        (X.reshape(20, 3, 8, 4), X.reshape(20, 3, 8, 4)),
        (X[:24].reshape(16, 3, 8, 3), X[:24].reshape(16, 3, 8, 3)),  # channels first if both may be channels
        (X.reshape(20, 2, 8, 6), X.reshape(20, 2, 8, 6)),
    ],
)
def test_images_of_every_shape_and_type_are_converted_exactly(x, expected, convert):
    data = loaded(convert(x), test=convert(x))
    assert data.image_shape == expected.shape[1:]
    assert np.array_equal(data.splits["test"].x, expected)


def test_tensors_of_16_bits_are_converted():
    x = torch.tensor([0, 0.5, 1], dtype=torch.bfloat16).view(3, 1, 1, 1)
    assert loaded(x, test=x).splits["test"].x.flatten().tolist() == [0, 128, 255]


def test_images_of_two_values_are_black_and_white(caplog):
    bits = X > 100
    assert np.array_equal(loaded(bits, test=bits).splits["test"].x[:, 0], bits * 255)
    assert not caplog.records
    loaded(bits.astype(np.uint8), test=X)
    assert [record.getMessage() for record in caplog.records] == [
        "data: the train images have values up to 1, not 255. Multiply them by 255."
    ]


def test_channels_that_may_come_last_cause_a_warning(caplog):
    loaded(np.zeros((40, 4, 8, 8)))
    loaded(np.zeros((40, 32, 4, 4)))  # a feature map
    assert not caplog.records
    loaded(np.zeros((40, 32, 32, 4)))
    assert "shape (40, 32, 32, 4) have 32 channels of 32 x 4 pixels. If their channels come last, tran" in caplog.text


@pytest.mark.parametrize("x", [X, X / 255, X / np.float32(255), torch.from_numpy(X) / 255])
def test_floats_are_kept_if_they_are_to_be(x):
    data = loaded(x, test=x, dtype="float32")
    images = data.splits["test"].x
    assert images.dtype == torch.float32
    np.testing.assert_array_equal(images, X[:, None] / np.float32(255))


def test_missing_splits_are_held_out_with_their_labels():
    data = loaded(X, Y)
    assert sizes(data) == {"train": 34, "val": 2, "test": 4}
    assert data.num_classes == 4
    for x, y in data.splits.values():
        assert all(any(np.array_equal(x[i, 0], image) for image in X[y[i] == Y]) for i in range(len(x)))
    images = torch.cat([x for x, _ in data.splits.values()])
    assert len(images.flatten(1).unique(dim=0)) == len(np.unique(X.reshape(40, -1), axis=0))
    assert sizes(loaded(X, val=X[:7], test_fraction=0.5)) == {"train": 20, "val": 7, "test": 20}
    assert sizes(loaded(X, val_fraction=0)) == {"train": 36, "val": 0, "test": 4}
    assert not torch.equal(data.splits["test"].x, loaded(X, Y, split_seed=1).splits["test"].x)


def test_given_splits_are_kept_in_order():
    data = loaded(X, list(Y), (X[:7], Y[:7]), (X[7:9], torch.tensor(Y[7:9])))
    assert sizes(data) == {"train": 40, "val": 7, "test": 2}
    assert np.array_equal(data.splits["train"].x[:, 0], X)
    assert data.splits["test"].y.tolist() == Y[7:9].tolist()


def test_arrays_are_copied():
    x = X.copy()
    data = loaded(x, test=x)
    x[:] = 0
    assert np.array_equal(data.splits["test"].x[:, 0], X)


def test_identity_depends_on_the_images_of_each_split():
    identity = loaded(X, Y).identity
    assert identity == loaded(X / 255).identity == loaded(X[:, None]).identity
    others = [loaded(X[:-1]), loaded(X[::-1]), loaded(X, test=X), loaded(X, test=X[:-1]), loaded(X, split_seed=1)]
    assert len({identity, *(data.identity for data in others)}) == 6


def test_labels_may_be_factors_or_attributes():
    y = np.stack([Y, Y % 2], axis=1)
    assert loaded(X, y).num_classes is None
    assert loaded(X, y > 0, num_classes=2).splits["train"].y.dtype == torch.int64


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ([X.reshape(40, 48)], {}, r"data: the train images have shape \(40, 48\). Reshape them to \(N, H, W\), \(N, C"),
        ([X[:0]], {}, r"data: the train images have shape \(0, 1, 8, 6\)"),
        (
            [X.astype(int)],
            {},
            r"data: the train images are int64. Convert them to uint8 from 0 to 255, or to floats from",
        ),
        ([X.astype(np.float32) / np.float32(254.99998)], {}, r"data: .* values from 0 to 1.0000001192092896. Scale"),
        ([X * 1.0], {}, r"data: the train images have values from 0 to 255. Scale them to \[0, 1\], or convert them"),
        ([X / 127.5 - 1], {}, r"data: the train images have values from -1 to 1. Scale"),
        ([X * np.nan], {}, r"data: the train images contain NaN. Replace it by a value in"),
        (
            [(X, Y)],
            {},
            r"data: the train images are not one array \(.*\). Pass one; a pair of images and labels is a tuple",
        ),
        ([X], {"test": [X, Y]}, r"data: the test images are not one array"),
        (
            [X, Y],
            {"test": (X, np.stack([Y, Y], 1))},
            r"data: the labels have different shapes: \(N\) for train, .*\(N, 2\)",
        ),
        (
            [X, Y * 10**12],
            {},
            r"data: the labels go up to 3000000000000. Number the classes 0, 1, 2, ...",
        ),
        ([X, Y / 2], {}, r"data: the train labels are float64 of shape \(40,\). Convert them to integers of shape"),
        ([X, Y - 1], {"test": (X, Y - 1)}, r"data: the test labels start at -1. Count them from 0. Only the class of"),
        ([X, Y - 2], {}, r"data: the train labels start at -2. Count them from 0"),
        ([X, np.stack([Y, -Y], 1)], {}, r"data: the train labels start at -\d. Count them from 0"),
        ([X], {"val": (X, Y[:5])}, r"data: there are 40 val images but 5 labels. Pass one per image"),
        (
            [X],
            {"test": X[:, :4]},
            r"data: the test images have shape \[1, 4, 6\], but the train images \[1, 8, 6\]. Resi",
        ),
        ([X], {"image_shape": (3, 8, 6)}, r"data.image_shape=\[3, 8, 6\]: .* Set data.image_shape=\[1, 8, 6\]"),
        (
            [X[:3]],
            {},
            r"data.test_fraction=0.1: of 3 images, none would be left for testing. Set 0.34 or more, or add im",
        ),
        ([X], {"test_fraction": -0.5}, r"data.test_fraction=-0.5: must be a number >= 0 and < 1"),
        ([], {}, r"data.root=None: the images are either arrays or a file. Pass x_train or root"),
        ([X], {"root": "x.npz"}, r"data.root=x.npz: the images are either arrays or a file"),
        ([], {"root": "x.npz", "test": X}, r"data.root=x.npz: the images are either arrays or a file"),
    ],
)
def test_unsuitable_arrays_are_rejected(arrays, options, message):
    with pytest.raises(UserError, match=f"^{message}"):
        loaded(*arrays, **options)


def test_floats_are_trained_on_evaluated_and_shown_unrounded(configuration, tmp_path):
    x, y = load_digits(return_X_y=True)
    x = (x.reshape(-1, 8, 8) / 16 + np.random.default_rng(0).uniform(0, 1, (len(x), 8, 8))) / 2
    np.savez(tmp_path / "digits.npz", x_train=x, y_train=y)
    options = [*(option for option in SMALL if not option.startswith("data.")), "trainer.max_epochs=1"]
    options += ["data=arrays", f"data.root={tmp_path / 'digits.npz'}", "data.dtype=float32"]
    figures = "callbacks.figures.final=[reconstructions,nearest_images,extreme_reconstructions]"
    train(configuration(*options, "model/likelihood=gaussian", "model.likelihood.scale_type=model", figures))
    drawn = {file.stem for file in (tmp_path / "run" / "figures").iterdir()}
    assert {"reconstructions", "nearest_images", "extreme_reconstructions"} <= drawn
    run = load_run(tmp_path / "run")
    kept = run.data.splits["train"].x[:, 0].numpy()
    assert kept.dtype == np.float32
    assert np.isin(kept, x.astype(np.float32)).all()
    images = run.data.splits["test"]
    assert torch.equal(run.model(*images).x, images.x)
    metrics = evaluate(
        tmp_path / "run", quick=True, only=["likelihood", "samples"], images=100, samples=5, device="cpu"
    )
    assert {"likelihood/log_px", "samples/fid", "samples/psnr"} <= metrics.keys()
    assert metrics["likelihood/bits_per_dim"] is None
    with pytest.raises(UserError, match=r"^model/likelihood: DiscretizedLogistic is a distribution of 8-bit images, a"):
        train(configuration(*options, "model/likelihood=discretized_logistic", run="other"))
    train(configuration(*options, "model/likelihood=discretized_logistic", "data.binarize=dynamic", run="binary"))


def test_files_contain_the_same_as_arrays(tmp_path):
    path = tmp_path / "images.npz"
    np.savez_compressed(path, x_train=X, y_train=Y, x_test=X[:9], y_test=Y[:9])
    expected, data = loaded(X, Y, test=(X[:9], Y[:9])), loaded(root=str(path))
    for name, (x, y) in expected.splits.items():
        assert torch.equal(data.splits[name].x, x)
        assert torch.equal(data.splits[name].y, y)
    np.save(tmp_path / "images.npy", X / 255)
    assert torch.equal(loaded(root=str(tmp_path / "images.npy")).splits["test"].x, loaded(X).splits["test"].x)


def test_files_that_cannot_be_used_are_reported_by_name(tmp_path):
    path = tmp_path / "images.npz"
    start = f"^data.root={re.escape(str(path))}: "
    with pytest.raises(UserError, match=start + "no such file. Set data.root to an .npz or .npy file"):
        ArrayDataModule(root=str(path))
    np.savez(path, x_train=X, images=X)
    with pytest.raises(
        UserError, match=start + "contains arrays of unknown names, images. Remove them, or use x_train"
    ):
        ArrayDataModule(root=str(path))
    np.savez(path, x_train=X, y_train=Y, y_test=Y)
    with pytest.raises(UserError, match=start + "contains y_test without x_test. Add the images, or remove the labels"):
        ArrayDataModule(root=str(path))
    np.savez(path, images=X, y_train=Y)
    with pytest.raises(UserError, match=start + "contains arrays images, y_train. Name the training images x_train"):
        ArrayDataModule(root=str(path))
    np.savez(path, x_train=X, y_train=np.array(["cat", {}]))
    with pytest.raises(UserError, match=start + r"cannot be read \(Object arrays cannot be loaded when allow_pickle"):
        ArrayDataModule(root=str(path))
    np.savez(path, x_train=X)
    content = path.read_bytes()
    for other in (b"", b"text,1\n"):
        path.write_bytes(other)
        with pytest.raises(
            UserError, match=start + "not an .npz or .npy file. Write one with numpy.savez or numpy.save"
        ):
            ArrayDataModule(root=str(path))
    for damaged in (content[:-50], content[:500] + b"?" + content[501:], b"\x93NUMPY"):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=start + r"cannot be read \(.*\). Write it again with numpy.savez"):
            ArrayDataModule(root=str(path))


def test_classes_without_images_are_counted(caplog):
    assert loaded(X, Y).num_classes == 4
    assert not caplog.records
    assert loaded(X, 10 * Y).num_classes == 31
    assert [record.getMessage() for record in caplog.records] == [
        "data: 27 of 31 classes have no images. Number the classes 0, 1, 2, ... without gaps."
    ]
    assert loaded(X, 10 * Y, num_classes=50).num_classes == 50


@pytest.mark.filterwarnings("ignore:`isinstance")  # Lightning's own use of torch
def test_arrays_train_with_a_plain_trainer_and_figures(tmp_path):
    x, y = load_digits(return_X_y=True)
    data = ArrayDataModule(x.reshape(-1, 8, 8) / 16, y)
    model = VAE(latent_dim=2, image_shape=data.image_shape, network=MLP(hidden_dims=[16]))
    figures = Figures(folder=str(tmp_path / "figures"), title="digits", periodic=[], final=["samples", "latent_space"])
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, callbacks=[figures], default_root_dir=tmp_path,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    trainer.test(model, datamodule=data, verbose=False)
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"samples.png", "latent_space.png"}
    (checkpoint,) = tmp_path.rglob("*.ckpt")
    assert vae_lightning.load(checkpoint).image_shape == (1, 8, 8)


def test_run_of_a_file_is_evaluated_and_resumed(configuration, tmp_path):
    x, y = load_digits(return_X_y=True)
    np.savez(tmp_path / "digits.npz", x_train=x.reshape(-1, 8, 8) / 16, y_train=y)
    small = [*(option for option in SMALL if not option.startswith("data.")), "model=cvae", "callbacks=minimal"]
    small += ["data=arrays", f"data.root={tmp_path / 'digits.npz'}"]
    train(configuration(*small, "trainer.max_epochs=1"))
    run = load_run(tmp_path / "run")
    assert run.config["model"]["image_shape"] == run.config["data"]["image_shape"] == [1, 8, 8]
    assert run.config["model"]["num_classes"] == 10
    assert sizes(run.data) == {"train": 1536, "val": 81, "test": 180}
    resumed = train(configuration(*small, "trainer.max_epochs=2", f"resume={tmp_path / 'run'}"))
    assert resumed == train(configuration(*small, "trainer.max_epochs=2", run="uninterrupted"))
