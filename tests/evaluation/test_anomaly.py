"""Telling the images of a run from those of another dataset."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.data import ImageFolderDataModule
from vae_lightning.errors import UserError
from vae_lightning.evaluation.anomaly import SCORES, anomaly, scores
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.evaluate import evaluate
from vae_lightning.evaluation.other_data import load_other_data
from vae_lightning.evaluation.settings import QUICK
from vae_lightning.evaluation.unfinished import Unfinished
from vae_lightning.metrics import LikelihoodEstimate, png_bits
from vae_lightning.models import AE
from vae_lightning.training.train import train

SHAPE = "data.image_shape=[1,16,16]"
SPRITES = ["sprites", SHAPE, "data.factor_sizes=[3,2,4,2,2]", "data.val_size=8", "data.test_size=40"]
RATIO = "auroc_likelihood_ratio"


@pytest.fixture
def noise(tmp_path) -> list[str]:
    """Write 80 images of noise, and return the options of `--against` for half of them."""
    rng = np.random.default_rng(0)
    (tmp_path / "noise").mkdir()
    for i in range(80):
        Image.fromarray(rng.integers(256, size=(16, 16), dtype=np.uint8)).save(tmp_path / "noise" / f"{i}.png")
    return ["image_folder", f"data.root={tmp_path / 'noise'}", SHAPE, "data.test_fraction=0.5"]


def trained(small, *overrides: str, run: str = "run") -> str:
    """Train a small model of digits and return its directory."""
    cfg = small("logger=none", "callbacks=minimal", SHAPE, *overrides, run=run)
    train(cfg)
    return cfg.run_dir


def context_of(run_dir: str) -> EvaluationContext:
    run = load_run(run_dir)
    return EvaluationContext(
        run, QUICK, torch.device("cpu"), lambda steps, _: steps, Unfinished(run.run_dir, "anomaly", "")
    )


def test_noise_is_told_from_digits(small, noise):
    larger = ["data.batch_size=32", "model.network.hidden_dims=[64]", "model.latent_dim=8", "model.optimizer.lr=0.003"]
    run_dir = trained(small, "trainer.max_epochs=10", "model/likelihood=gaussian", *larger)
    options = {"quick": True, "only": ["anomaly"], "images": 100}
    found = evaluate(run_dir, against=noise, **options)
    for name in ("log_px", "nelbo", "typicality", "reconstruction"):
        assert found[f"anomaly/auroc_{name}"] > 0.99, name
        assert 0 <= found[f"anomaly/auroc_{name}_se"] < 0.01
    assert found[f"anomaly/{RATIO}"] is None
    saved = json.loads((Path(run_dir) / "metrics.json").read_text())
    assert saved.items() >= found.items()
    assert "100 images against 40 of image_folder" in saved["evaluation"]["anomaly"]["notes"]["auroc_reconstruction"]

    same = evaluate(run_dir, against=noise, background=run_dir, **options)
    assert same[f"anomaly/{RATIO}"] == 0.5
    assert same["anomaly/auroc_log_px"] == found["anomaly/auroc_log_px"]
    digits = evaluate(run_dir, against=["digits", SHAPE], **options)
    assert [digits[f"anomaly/auroc_{name}"] for name in ("log_px", "complexity")] == pytest.approx([0.5, 0.5])


def write_images(folder: Path, n: int, shape: tuple[int, int]) -> Path:
    """Write n gray images, of which image i is white in its left half and has the value i in its right one."""
    folder.mkdir(parents=True)
    for i in range(n):
        pixels = np.full(shape, i, np.uint8)
        pixels[:, : shape[1] // 2] = 255
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    return folder


def test_all_images_are_anomalies_unless_there_are_test_images(digits, tmp_path):
    like = digits()
    shape = "data.image_shape=[1,28,28]"

    def count(*against: str) -> int:
        data = load_other_data(against, like).data
        x = data.splits["test"].x
        return len({tuple(image.flatten().tolist()) for image in x}) if len(x) else 0

    flat = f"data.root={write_images(tmp_path / 'flat', 4, (28, 28))}"
    assert count("image_folder", flat, shape) == 4
    assert count("image_folder", flat, shape, "data.test_fraction=0.5") == 2
    write_images(tmp_path / "split" / "train", 5, (28, 28))
    assert count("image_folder", f"data.root={tmp_path / 'split'}", shape) == 5
    write_images(tmp_path / "split" / "test", 3, (28, 28))
    assert count("image_folder", f"data.root={tmp_path / 'split'}", shape) == 3
    x = np.random.default_rng(0).random((7, 28, 28))
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x_train=x, x_test=x[:2])
    assert count("arrays", f"data.root={tmp_path / 'x.npy'}") == 7
    assert count("arrays", f"data.root={tmp_path / 'x.npz'}") == 2


def test_images_are_read_as_those_of_the_run(tmp_path):
    """The run keeps the left half of its images, which is white."""
    root = write_images(tmp_path / "run", 20, (8, 16))
    like = ImageFolderDataModule(root=str(root), image_shape=(1, 4, 4), crop=[0, 0, 8, 8])
    like.setup()
    other = f"data.root={write_images(tmp_path / 'other', 4, (8, 16))}"
    assert load_other_data(["image_folder", other], like).data.splits["test"].x.unique().tolist() == [255]
    whole = load_other_data(["image_folder", other, "data.crop=null"], like).data.splits["test"].x
    assert (whole[..., 0] == 255).all()
    assert sorted(whole[:, 0, 0, 3].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize(("name", "choice"), [("photos", "image_folder"), ("x.npz", "arrays")])
def test_path_instead_of_a_choice_is_told_from_one(name, choice, digits, tmp_path):
    path = str(tmp_path / name)
    message = f"--against {path}: not a choice of data=. Use --against {choice} data.root={path}."
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        load_other_data([path], digits())


def test_scores_of_a_known_likelihood(small, monkeypatch):
    """The other images are more likely than those of the run, equally far from their mean, and simpler."""
    context = context_of(trained(small, "data.binarize=fixed"))
    other = load_other_data(["digits", SHAPE], context.data)
    assert set(other.data.splits["test"].x.unique().tolist()) == {0, 255}
    other.data.splits["test"].x.fill_(255)

    splits = []

    def estimate(images):
        splits.append(images.settings.split)
        n, is_white = len(images.x), images.x.min() == 255
        log_px = torch.full((n,), -10.0) if is_white else -100 + torch.linspace(-1, 1, n)
        return LikelihoodEstimate(log_px - 5 * isinstance(images.model, AE), -log_px, torch.ones(n))

    monkeypatch.setattr("vae_lightning.evaluation.anomaly.estimate", estimate)
    found = anomaly(context, other, background=AE(image_shape=(1, 16, 16)))
    assert found["auroc_log_px"] == (0, 0, None, "-log p(x)")
    assert found["auroc_nelbo"].value == 0
    assert found["auroc_typicality"].value == 1
    assert splits[0] == "train"  # of the mean that typicality is relative to
    assert set(splits[1:]) == {"test"}
    assert found[RATIO].value == 0.5

    white = scores(context.variant(data=other.data), torch.tensor(-100.0), None)
    assert set(white["log_px"].tolist()) == {10}
    assert set(white["nelbo"].tolist()) == {11}
    assert set(white["typicality"].tolist()) == {90}
    bits = png_bits(other.data.splits["test"].x[:1]).item()
    assert white["complexity"].tolist() == pytest.approx([10 / math.log(2) - bits] * len(other.data.splits["test"].x))


def test_the_scores_of_each_image_are_written(small, tmp_path):
    """Those of the pictures are the ones that the model gives to the images in these files."""
    run_dir = trained(small, "trainer.max_epochs=1")
    folder = write_images(tmp_path / "photos", 30, (16, 16))
    (folder / "1").mkdir()
    (folder / "03.png").rename(folder / "1" / "=03.png")
    against = ["image_folder", f"data.root={folder}", SHAPE]
    found = evaluate(run_dir, quick=True, only=["anomaly"], against=against, images=25)
    with (Path(run_dir) / "anomaly-scores.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == ["anomaly", "image", "reconstruction", "neg_log_px", "nelbo", "typicality"]
    assert [row["anomaly"] for row in rows] == ["0"] * 25 + ["1"] * 25
    run = load_run(run_dir)
    x = [run.data.splits["test"].x[int(row["image"])] for row in rows[:25]]
    names = [row["image"].replace("'", "") for row in rows[25:]]
    assert names == sorted(names)
    assert "1/=03.png" in names
    x += [torch.from_numpy(np.array(Image.open(folder / name)))[None] for name in names]
    images = run.model.as_images(torch.stack(x))
    errors = (images - run.model.reconstruct(images)).square().sum((1, 2, 3))
    assert [float(row["reconstruction"]) for row in rows] == pytest.approx(errors.tolist(), rel=1e-5)
    scores = [float(row["neg_log_px"]) for row in rows]
    normal, other = scores[:25], scores[25:]
    higher = np.mean([(b > a) + 0.5 * (b == a) for a in normal for b in other])
    assert found["anomaly/auroc_log_px"] == pytest.approx(higher)


@pytest.mark.parametrize(
    ("overrides", "missing"),
    [
        (["model=vae"], {"complexity", "likelihood_ratio"}),
        (["model=vae", "data.binarize=dynamic"], {"likelihood_ratio"}),
        (["model=ae"], set(SCORES) - {"reconstruction"}),
        (["model=cvae"], set(SCORES)),
    ],
    ids=["vae", "binary", "ae", "cvae"],
)
def test_scores_that_do_not_apply_have_a_reason(overrides, missing, small):
    context = context_of(trained(small, "trainer.max_epochs=1", *overrides))
    found = anomaly(context, load_other_data(SPRITES, context.data))
    assert list(found) == [f"auroc_{name}" for name in SCORES]
    assert {name for name in SCORES if found[f"auroc_{name}"].value is None} == missing
    for name in missing:
        assert found[f"auroc_{name}"].note.startswith("unavailable: ")
    assert {result.value for result in anomaly(context).values()} == {None}


def test_invalid_options_raise(small):
    run_dir = trained(small, "trainer.max_epochs=1")
    for options, message in (
        ({"only": ["anomaly"]}, r"--only=anomaly: .*Add --against DATA"),
        ({"only": ["likelihood"], "against": SPRITES}, r"--against: has an effect on anomaly only"),
        ({"background": run_dir}, r"--background: has an effect on anomaly only"),
        ({"against": ["sprite"]}, r"--against sprite: data=sprite: no such choice\. Did you mean sprites\?"),
        (
            {"against": ["sprites"]},
            r"\[1, 64, 64\], those of the run \[1, 16, 16\].*add data.image_shape=\[1,16,16\]",
        ),
        ({"against": [*SPRITES, "data.val_siz=3"]}, r"data.val_siz: no such option\. Did you mean data.val_size"),
        ({"against": [*SPRITES, "data.val_size=-1"]}, r"data.val_size=-1: must be an integer >= 0"),
        ({"against": [*SPRITES, "model.beta=1"]}, r"model.beta=1: not an option of the data"),
        ({"against": ["mnist", SHAPE, "data.download=false"]}, r"mnist: data=mnist: no files in"),
        ({"against": SPRITES, "background": "nowhere"}, r"nowhere: no such run"),
    ):
        with pytest.raises(UserError, match=message):
            evaluate(run_dir, quick=True, **options)
    for name, overrides, message in (
        ("large", ["data.image_shape=[1,9,9]"], r"its images have shape \[1, 9, 9\], those of the run \[1, 16, 16\]"),
        ("ae", ["model=ae"], r"AE has no log p\(x\) without labels"),
        ("cvae", ["model=cvae"], r"VAE has no log p\(x\) without labels"),
    ):
        background = trained(small, "trainer.max_epochs=1", *overrides, run=name)
        with pytest.raises(UserError, match=message):
            evaluate(run_dir, quick=True, against=SPRITES, background=background)
    assert "evaluation" not in json.loads((Path(run_dir) / "metrics.json").read_text())
