"""Files damaged at random, and values at random: one line that names the file or the value, or a result that is right.

`FUZZ=100 pytest tests/faults/test_fuzz.py` (`make fuzz`) tries a hundred times as many.
"""

import copy
import os
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import ROOT, SMALL
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import vae_lightning
from vae_lightning.checkpointing.checkpoint_io import AtomicCheckpointIO, load_verified
from vae_lightning.checkpointing.run_loading import load_run
from vae_lightning.cli.main import main
from vae_lightning.config.error_reporting import format_error
from vae_lightning.config.traversal import iter_nodes
from vae_lightning.config.validation import validate_config
from vae_lightning.data import CelebADataModule, DSpritesDataModule, ImageFolderDataModule, MNISTDataModule
from vae_lightning.data.dsprites import FILE
from vae_lightning.errors import UserError
from vae_lightning.training.train import train

ROUNDS = int(os.environ.get("FUZZ", "1"))
QUICK = ["~callbacks.figures", "logger=none", "trainer.max_epochs=1", "+trainer.limit_train_batches=2"]
LOADING = {"batch_size": 8, "eval_batch_size": 8, "seed": 0, "binarize": "none", "validation_split": "val"}
LOADING |= {"device_resident": False}


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Other bytes: some bits flipped, cut short, grown, a block lost, or nothing that was there before."""
    bytes_ = bytearray(content)
    match chance.randrange(6):
        case 0 | 1:
            for _ in range(chance.choice([1, 1, 8])):
                bytes_[chance.randrange(len(bytes_))] ^= 1 << chance.randrange(8)
        case 2:
            del bytes_[chance.randrange(len(bytes_)) :]
        case 3:
            bytes_ += chance.randbytes(chance.randint(1, 100))
        case 4:
            start = chance.randrange(len(bytes_))
            del bytes_[start : start + chance.randint(1, 50)]
        case 5:
            bytes_ = bytearray(chance.randbytes(chance.randint(1, 200)))
    return bytes(bytes_)


def damages(file: Path, times: int) -> Any:
    """Damage a file, again and again, each time from what it was; yield the new content."""
    content = file.read_bytes()
    chance = random.Random(file.name)
    for _ in range(times * ROUNDS):
        new = damaged(content, chance)
        if new != content:
            file.write_bytes(new)
            yield new
    file.write_bytes(content)


def refusal(action: Callable[..., Any], *args: Any) -> str:
    """How something is refused, in one line; empty where it is done."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            action(*args)
            return ""
        except (UserError, HydraException, OmegaConfBaseException) as error:
            line = format_error(error, [])
        except SystemExit as ended:
            line = str(ended.code)
    assert line
    assert "\n" not in line
    return line


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small finished run."""
    folder = tmp_path_factory.mktemp("fuzz") / "run"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", [f"run_dir={folder}", *SMALL, *QUICK])
    train(cfg)
    (folder / ".hydra" / "overrides.yaml").write_text("- seed=0\n")
    return folder


# ---------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("name", ["checkpoints/best.ckpt", "model.safetensors"])
def test_no_damage_of_a_model_goes_unnoticed(name, run, capsys):
    main(["export", str(run)])
    for _ in damages(run / name, 150):
        assert Path(name).name in refusal(vae_lightning.load, run / name)


OTHER: list[Any] = [None, -1, 0, 2.5, float("nan"), 10**30, "", "text", [], {}, [1], {"a": 1}, torch.zeros(2), (), True]


def mutate(value: Any, chance: random.Random) -> Any:
    """A nested container with something else in one place."""
    if chance.random() < 0.3 or not isinstance(value, dict | list) or not value:
        return chance.choice(OTHER)
    key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if chance.random() < 0.15:
        del value[key]
    else:
        value[key] = mutate(value[key], chance)
    return value


def test_a_checkpoint_that_was_made_up_is_refused_or_resumed(run, small, tmp_path):
    """Its checksum is right."""
    chance = random.Random(0)
    whole = load_verified(run / "checkpoints" / "last.ckpt")
    options = [*QUICK, "trainer.max_epochs=2", f"resume={tmp_path / 'forged.ckpt'}"]
    for _ in range(25 * ROUNDS):
        key = chance.choice(list(whole))
        forged = {**whole, key: mutate(copy.deepcopy(whole[key]), chance)}
        AtomicCheckpointIO().save_checkpoint(forged, tmp_path / "forged.ckpt")
        line = refusal(train, small(*options))
        assert not line or "forged.ckpt" in line or "finite" in line
        shutil.rmtree(tmp_path / "run", ignore_errors=True)


# ---------------------------------------------------------------- data


def test_damaged_idx_files_are_named(mnist_root):
    for file in sorted((mnist_root / "MNIST" / "raw").iterdir()):
        whole = file.read_bytes()
        header = 16 if "images" in file.name else 8
        for content in damages(file, 40):
            data = MNISTDataModule(
                root=str(mnist_root), download=False, val_size=10, split_seed=0, image_shape=(1, 28, 28),
                num_classes=10, **LOADING,
            )  # fmt: skip
            line = refusal(data.setup)
            if not line:  # another grey value, or another digit: nobody can tell
                assert len(content) == len(whole)
                assert content[:header] == whole[:header]


@pytest.mark.parametrize("name", ["images.u8", "labels.npy", "manifest.json"])
def test_a_damaged_cache_is_named(name, tmp_path, celeba):
    def opened() -> CelebADataModule:
        data = CelebADataModule(
            root=str(root), download=False, cache=None, crop=148, skip_corrupt=False, attributes=["Bald"],
            image_shape=(3, 8, 8), num_classes=1, **LOADING,
        )  # fmt: skip
        data.setup()
        return data

    root = celeba()
    opened()
    (cache,) = (path for path in (root / "cache").iterdir() if path.is_dir())
    for _ in damages(cache / name, 60):
        assert f"the cache {cache} is damaged" in refusal(opened)
    opened()


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("official", "list_attr_celeba.txt"),
        ("official", "list_eval_partition.txt"),
        ("kaggle", "../list_attr_celeba.csv"),
        ("zip", "img_align_celeba.zip"),
    ],
)
def test_a_damaged_celeba_is_told(layout, name, tmp_path, celeba):
    root = celeba(layout, n=10)
    for n, _ in enumerate(damages((root / "celeba" / name).resolve(), 40)):
        data = CelebADataModule(
            root=str(root), download=False, cache=str(tmp_path / f"{n}"), crop=148, skip_corrupt=False,
            attributes=["Bald"], image_shape=(3, 8, 8), num_classes=1, **LOADING,
        )  # fmt: skip
        line = refusal(data.setup)
        assert not line or line.startswith("data")


def test_a_damaged_dsprites_is_named(dsprites_root):
    for _ in damages(dsprites_root / FILE, 20):
        data = DSpritesDataModule(
            root=str(dsprites_root), download=False, cache=None, val_size=20, test_size=50, image_shape=(1, 64, 64),
            num_classes=None, **LOADING,
        )  # fmt: skip
        line = refusal(data.setup)
        assert not line or FILE in line


def test_a_damaged_image_is_named(tmp_path):
    from PIL import Image

    for i in range(10):
        Image.new("L", (9, 9), 20 * i).save(tmp_path / f"{i}.png")
    for n, _ in enumerate(damages(tmp_path / "3.png", 40)):
        data = ImageFolderDataModule(
            root=str(tmp_path), cache=str(tmp_path / f"cache{n}"), crop=None, skip_corrupt=False, val_fraction=0.1,
            test_fraction=0.1, split_seed=0, image_shape=(1, 8, 8), num_classes=None, **LOADING,
        )  # fmt: skip
        line = refusal(data.setup)
        assert not line or "3.png" in line


# ---------------------------------------------------------------- the other files of a run


@pytest.mark.parametrize("name", [".hydra/config.yaml", "metrics.json", ".hydra/overrides.yaml"])
def test_a_damaged_file_of_a_run_is_told(name, run, capsys):
    for _ in damages(run / name, 20):
        line = refusal(load_run, run)
        assert not line or "config.yaml" in line or "metrics.json" in line
        line = refusal(main, ["report", str(run)])
        assert not line or str(run) in line


# ---------------------------------------------------------------- values

BASES = [
    "model/network=mlp",
    "model/network=burgess",
    "model=factor_vae model.discriminator_dims=[8]",
    "model=vq_vae",
    "model=hvae",
    "model=vamp_vae model/likelihood=gaussian",
    "model=beta_tcvae model/network=resnet",
    "model=dip_vae",
    "model=info_vae model/likelihood=discretized_logistic",
    "model=iwae model/optimizer=adagrad",
    "model=cvae model/prior=class_conditional",
    "data=sprites data.image_shape=[1,16,16] data.factor_sizes=[3,2,4,4,4] data.val_size=20 data.test_size=50",
]
BASE = ["data.image_shape=[1,8,8]", "model.latent_dim=4", "trainer=cpu", "~callbacks.progress_bar", *QUICK]
BASE += ["trainer.enable_progress_bar=false", "name=fuzz", "+trainer.max_steps=2"]
VALUES: list[Any] = [None, "", "text", "../up", "/dev/null", "é", -1, 0, 1, 2.5, -3.7, 10**9, 10**20, 1e308, True]
VALUES += [float("nan"), float("inf"), -float("inf"), [], [1, 2], ["a"], [[1]], [None], [-1], [10**20], {}, {"a": 1}]


LEFT_OUT = ("debug", "trainer.max_steps", "trainer.devices")  # devices start processes, of this very test


def run_checked(cfg: DictConfig) -> None:
    validate_config(cfg)
    train(cfg)


def test_any_value_is_taken_or_told(tmp_path, monkeypatch):
    chance = random.Random(0)
    for n in range(40 * ROUNDS):
        here = tmp_path / f"{n}" / "here"  # a value may name a folder, or the one above
        here.mkdir(parents=True)
        monkeypatch.chdir(here)
        folder = here / "run"
        base = chance.choice(BASES).split()
        network = [] if any("network" in option for option in base) else ["model/network=mlp"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            cfg = compose("train", [f"run_dir={folder}", *network, *BASE, *base])
        keys = [key for key, _ in iter_nodes(OmegaConf.to_container(cfg)) if key not in LEFT_OUT]
        key, value = chance.choice(keys), chance.choice(VALUES)
        OmegaConf.update(cfg, key, value, merge=False)
        try:
            line = refusal(run_checked, cfg)
        except Exception as error:
            pytest.fail(f"{base} {key}={value!r}: {type(error).__name__}: {error}")
        if line:
            assert line.startswith("batch 1 ") or not list(here.iterdir()), f"{base} {key}={value!r}: {line}"
        shutil.rmtree(here.parent)
