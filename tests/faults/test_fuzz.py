"""Fuzz tests with randomly damaged files and random values.

Each input must give either a valid result or an error on one line that names the file or the value.
`FUZZ=100 pytest tests/faults/test_fuzz.py` tries 100 times as many inputs, and `make fuzz` 20 times as many.
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
DATA_OPTIONS = {"batch_size": 8, "eval_batch_size": 8, "seed": 0, "binarize": "none", "validation_split": "val"}
DATA_OPTIONS |= {"device_resident": False}


def damage(content: bytes, rng: random.Random) -> bytes:
    """Return a copy with flipped bits, truncated, extended, without a block, or replaced by random bytes."""
    bytes_ = bytearray(content)
    match rng.randrange(6):
        case 0 | 1:
            for _ in range(rng.choice([1, 1, 8])):
                bytes_[rng.randrange(len(bytes_))] ^= 1 << rng.randrange(8)
        case 2:
            del bytes_[rng.randrange(len(bytes_)) :]
        case 3:
            bytes_ += rng.randbytes(rng.randint(1, 100))
        case 4:
            start = rng.randrange(len(bytes_))
            del bytes_[start : start + rng.randint(1, 50)]
        case 5:
            bytes_ = bytearray(rng.randbytes(rng.randint(1, 200)))
    return bytes(bytes_)


def damage_repeatedly(file: Path, times: int) -> Any:
    """Damage a file repeatedly, starting from its original content each time, and yield the new content."""
    content = file.read_bytes()
    rng = random.Random(file.name)
    for _ in range(times * ROUNDS):
        new = damage(content, rng)
        if new != content:
            file.write_bytes(new)
            yield new
    file.write_bytes(content)


def error_line(action: Callable[..., Any], *args: Any) -> str:
    """Return the error of an action on one line, or an empty string if it succeeds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            action(*args)
            return ""
        except (UserError, HydraException, OmegaConfBaseException) as error:
            line = format_error(error, [])
        except SystemExit as error:
            line = str(error.code)
    assert line
    assert "\n" not in line
    return line


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the directory of a small finished run."""
    run_dir = tmp_path_factory.mktemp("fuzz") / "run"
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", [f"run_dir={run_dir}", *SMALL, *QUICK])
    train(cfg)
    (run_dir / ".hydra" / "overrides.yaml").write_text("- seed=0\n")
    return run_dir


# ---------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("name", ["checkpoints/best.ckpt", "model.safetensors"])
def test_damaged_model_file_is_reported(name, run, capsys):
    main(["export", str(run)])
    for _ in damage_repeatedly(run / name, 150):
        assert Path(name).name in error_line(vae_lightning.load, run / name)


REPLACEMENTS: list[Any] = [None, -1, 0, 2.5, float("nan"), 10**30, "", "text", [], {}, [1], {"a": 1}]
REPLACEMENTS += [torch.zeros(2), (), True]


def mutate(value: Any, rng: random.Random) -> Any:
    """Replace or delete one value in a nested container, and return the container."""
    if rng.random() < 0.3 or not isinstance(value, dict | list) or not value:
        return rng.choice(REPLACEMENTS)
    key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if rng.random() < 0.15:
        del value[key]
    else:
        value[key] = mutate(value[key], rng)
    return value


def test_mutated_checkpoint_is_resumed_or_reported(run, small, tmp_path):
    """The checksum of each checkpoint is correct."""
    rng = random.Random(0)
    checkpoint = load_verified(run / "checkpoints" / "last.ckpt")
    options = [*QUICK, "trainer.max_epochs=2", f"resume={tmp_path / 'mutated.ckpt'}"]
    for _ in range(25 * ROUNDS):
        key = rng.choice(list(checkpoint))
        mutated = {**checkpoint, key: mutate(copy.deepcopy(checkpoint[key]), rng)}
        AtomicCheckpointIO().save_checkpoint(mutated, tmp_path / "mutated.ckpt")
        line = error_line(train, small(*options))
        assert not line or "mutated.ckpt" in line or "finite" in line
        shutil.rmtree(tmp_path / "run", ignore_errors=True)


# ---------------------------------------------------------------- data


def test_damaged_idx_file_is_reported(mnist_root):
    for file in sorted((mnist_root / "MNIST" / "raw").iterdir()):
        original = file.read_bytes()
        header = 16 if "images" in file.name else 8
        for content in damage_repeatedly(file, 40):
            data = MNISTDataModule(
                root=str(mnist_root), download=False, val_size=10, split_seed=0, image_shape=(1, 28, 28),
                num_classes=10, **DATA_OPTIONS,
            )  # fmt: skip
            line = error_line(data.setup)
            if not line:  # a changed gray value or label cannot be detected
                assert len(content) == len(original)
                assert content[:header] == original[:header]


@pytest.mark.parametrize("name", ["images.u8", "labels.npy", "manifest.json"])
def test_damaged_cache_is_reported(name, tmp_path, celeba):
    def open_data() -> CelebADataModule:
        data = CelebADataModule(
            root=str(root), download=False, cache=None, crop=148, skip_corrupt=False, attributes=["Bald"],
            image_shape=(3, 8, 8), num_classes=1, **DATA_OPTIONS,
        )  # fmt: skip
        data.setup()
        return data

    root = celeba()
    open_data()
    (cache,) = (path for path in (root / "cache").iterdir() if path.is_dir())
    for _ in damage_repeatedly(cache / name, 60):
        assert f"the cache {cache} is damaged" in error_line(open_data)
    open_data()


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("official", "list_attr_celeba.txt"),
        ("official", "list_eval_partition.txt"),
        ("kaggle", "../list_attr_celeba.csv"),
        ("zip", "img_align_celeba.zip"),
    ],
)
def test_damaged_celeba_file_is_reported(layout, name, tmp_path, celeba):
    root = celeba(layout, n=10)
    lines = []
    for n, _ in enumerate(damage_repeatedly((root / "celeba" / name).resolve(), 40)):
        data = CelebADataModule(
            root=str(root), download=False, cache=str(tmp_path / f"{n}"), crop=148, skip_corrupt=False,
            attributes=["Bald"], image_shape=(3, 8, 8), num_classes=1, **DATA_OPTIONS,
        )  # fmt: skip
        lines.append(error_line(data.setup))
        assert not lines[-1] or lines[-1].startswith("data")
    assert any(lines)


def test_damaged_dsprites_file_is_reported(dsprites_root):
    lines = []
    for _ in damage_repeatedly(dsprites_root / FILE, 20):
        data = DSpritesDataModule(
            root=str(dsprites_root), download=False, cache=None, val_size=20, test_size=50, image_shape=(1, 64, 64),
            num_classes=None, **DATA_OPTIONS,
        )  # fmt: skip
        lines.append(error_line(data.setup))
        assert not lines[-1] or FILE in lines[-1]
    assert any(lines)


def test_damaged_image_is_reported(tmp_path):
    from PIL import Image

    for i in range(10):
        Image.new("L", (9, 9), 20 * i).save(tmp_path / f"{i}.png")
    lines = []
    for n, _ in enumerate(damage_repeatedly(tmp_path / "3.png", 40)):
        data = ImageFolderDataModule(
            root=str(tmp_path), cache=str(tmp_path / f"cache{n}"), crop=None, skip_corrupt=False, val_fraction=0.1,
            test_fraction=0.1, split_seed=0, image_shape=(1, 8, 8), num_classes=None, **DATA_OPTIONS,
        )  # fmt: skip
        lines.append(error_line(data.setup))
        assert not lines[-1] or "3.png" in lines[-1]
    assert any(lines)


# ---------------------------------------------------------------- other files of a run


@pytest.mark.parametrize("name", [".hydra/config.yaml", "metrics.json", ".hydra/overrides.yaml"])
def test_damaged_run_file_is_reported(name, run, capsys):
    lines = []
    for _ in damage_repeatedly(run / name, 20):
        lines.append(error_line(load_run, run))
        assert not lines[-1] or "config.yaml" in lines[-1] or "metrics.json" in lines[-1]
        line = error_line(main, ["report", str(run)])
        assert not line or str(run) in line
    assert any(lines) == (name != ".hydra/overrides.yaml")  # which only resuming and the report need


# ---------------------------------------------------------------- values

BASES = [
    "model/network=mlp",
    "model/network=burgess",
    "model=factor_vae model.discriminator_dims=[8]",
    "model=vq_vae",
    "model=hvae",
    "model=vdvae model.network.channels=[4,4] model.network.groups=[0,2]",
    "model=hiwae",
    "model=vamp_vae model/likelihood=gaussian",
    "model=beta_tcvae model/network=resnet",
    "model=dip_vae",
    "model=info_vae model/likelihood=discretized_logistic",
    "model=free_bits_vae model.group_size=2",
    "model=geco_vae",
    "model=tvae",
    "model=iwae model/optimizer=adagrad",
    "model=piwae model.num_bounds=2 model.num_samples=2",
    "model=cvae model/prior=class_conditional",
    "data=sprites data.image_shape=[1,16,16] data.factor_sizes=[3,2,4,4,4] data.val_size=20 data.test_size=50",
]
BASE = ["data.image_shape=[1,8,8]", "model.latent_dim=4", "trainer=cpu", "~callbacks.progress_bar", *QUICK]
BASE += ["trainer.enable_progress_bar=false", "name=fuzz", "+trainer.max_steps=2"]
VALUES: list[Any] = [None, "", "text", "../up", "/dev/null", "é", -1, 0, 1, 2.5, -3.7, 10**9, 10**20, 1e308, True]
VALUES += [float("nan"), float("inf"), -float("inf"), [], [1, 2], ["a"], [[1]], [None], [-1], [10**20], {}, {"a": 1}]


# several devices would start this test in other processes
EXCLUDED = ("debug", "trainer.max_steps", "trainer.devices")


def run_checked(cfg: DictConfig) -> None:
    validate_config(cfg)
    train(cfg)


def test_random_value_is_accepted_or_reported(tmp_path, monkeypatch):
    rng = random.Random(0)
    for n in range(40 * ROUNDS):
        here = tmp_path / f"{n}" / "here"  # a value may name a directory, such as the parent
        here.mkdir(parents=True)
        monkeypatch.chdir(here)
        run_dir = here / "run"
        base = rng.choice(BASES).split()
        network = [] if any("network" in option for option in base) else ["model/network=mlp"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            cfg = compose("train", [f"run_dir={run_dir}", *network, *BASE, *base])
        keys = [key for key, _ in iter_nodes(OmegaConf.to_container(cfg)) if key not in EXCLUDED]
        key, value = rng.choice(keys), rng.choice(VALUES)
        OmegaConf.update(cfg, key, value, merge=False)
        try:
            line = error_line(run_checked, cfg)
        except Exception as error:
            pytest.fail(f"{base} {key}={value!r}: {type(error).__name__}: {error}")
        if line:
            assert line.startswith("batch 1 ") or not list(here.iterdir()), f"{base} {key}={value!r}: {line}"
        shutil.rmtree(here.parent)
