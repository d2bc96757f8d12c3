"""Tests of loading untrusted runs, which must not run code from outside this package."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT, SMALL
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from vae_lightning.checkpointing.run_loading import load_run, warn_data_changed
from vae_lightning.cli.main import main
from vae_lightning.errors import UserError
from vae_lightning.runs.layout import CONFIG
from vae_lightning.training.train import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("trained")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        options = [*SMALL, "~callbacks.figures", "logger=none", "trainer.max_epochs=1"]
        train(compose("train", [f"run_dir={run_dir}", *options]))
    return run_dir


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def set_config_value(run: Path, key: str, value: object) -> None:
    config = OmegaConf.load(run / CONFIG)
    OmegaConf.update(config, key, value, merge=False)
    OmegaConf.save(config, run / CONFIG)


@pytest.mark.parametrize("command", ["evaluate", "figures"])
@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("data", {"_target_": "os.system", "command": "touch owned"}, "names os.system, which is not trusted"),
        ("data.seed", {"_target_": "os.system", "command": "touch owned"}, "names os.system, which is not trusted"),
        ("data._target_", "vae_lightning.data.digits.torch.load", "which is not trusted"),
        ("data.seed", "${new_folder:owned}", "not a resolved configuration as a run writes it"),
        ("name", "${new_folder:owned}", "not a resolved configuration as a run writes it"),
        ("data", None, "config.yaml: not a resolved configuration as a run writes it"),
    ],
)
def test_untrusted_configuration_exits_with_an_error(command, key, value, message, run, monkeypatch):
    monkeypatch.chdir(run.parent)
    set_config_value(run, key, value)
    with pytest.raises(SystemExit) as error:
        main([command, "run"])
    line = str(error.value.code)
    assert line.startswith("error: ")
    assert "config.yaml: " in line
    assert message in line
    assert "\n" not in line
    assert not (run.parent / "owned").exists()


def test_error_for_an_untrusted_data_module_suggests_trust(run):
    set_config_value(run, "data._target_", "custom_data.Digits")
    with pytest.raises(UserError, match=r"custom_data.Digits, which is not trusted. .*--trust custom_data "):
        load_run(run)


def test_packages_of_model_and_data_are_listed_at_once(run):
    set_config_value(run, "data._target_", "custom_data.Digits")
    checkpoint = run / "checkpoints/best.ckpt"
    contents = torch.load(checkpoint, weights_only=True)
    contents["config"]["model"]["network"]["_target_"] = "custom_networks.Mine"
    torch.save(contents, checkpoint)
    with pytest.raises(UserError, match="--trust custom_networks --trust custom_data "):
        load_run(run)


def test_data_options_that_differ_from_training_cause_a_warning(run, caplog):
    load_run(run)
    warn_data_changed({"data": {"flip": False}}, {"data": {}}, run)  # which was trained before the option was added
    assert not caplog.records
    set_config_value(run, "data.split_seed", 7)
    load_run(run)
    assert "data.split_seed=7, but the model was trained with 0" in caplog.text


def test_data_that_has_been_moved_is_found_by_data_root(small, tmp_path):
    for n in range(20):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), n, np.uint8)).save(tmp_path / "photos" / f"{n}.png")
    options = ["data=image_folder", f"data.root={tmp_path / 'photos'}", "data.val_fraction=0.2"]
    train(small(*options, "data.image_shape=[1,8,8]", "trainer.max_epochs=1"))
    (tmp_path / "photos").rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"photos: no such directory. .* If the data has been moved, pass --data-root"):
        load_run(tmp_path / "run")
    assert len(load_run(tmp_path / "run", data_root=tmp_path / "moved").data.splits["train"].x) == 14
    main(["figures", str(tmp_path / "run"), "--data-root", str(tmp_path / "moved")])


def write_photos(folder: Path, *classes: str) -> Path:
    """Write twelve images of noise per class, in a directory each, or in the folder itself for an empty name."""
    rng = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for n in range(12):
            Image.fromarray(rng.integers(256, size=(8, 8), dtype=np.uint8)).save(folder / name / f"{n}.png")
    return folder


@pytest.mark.parametrize(("classes", "labels"), [([""], None), (["a"], None), (["a", "b", "c", "d"], 4)])
def test_images_may_have_other_classes_if_the_model_does_not_use_them(small, tmp_path, classes, labels):
    root = write_photos(tmp_path / "photos", "a", "b", "c")
    options = ["data=image_folder", f"data.root={root}", "data.image_shape=[1,8,8]", "trainer.max_epochs=1"]
    train(small(*options, "data.flip=true"))
    other = write_photos(tmp_path / "other", *classes)
    run = load_run(tmp_path / "run", data_root=other)
    assert run.data.num_classes == labels
    assert (run.data.splits["train"].y is None) == (labels is None)
    train(small(*options, "model=cvae", run="conditional"))
    with pytest.raises(UserError, match=r"^data: VAE is conditional on 3 classes .* Use images with the labels"):
        load_run(tmp_path / "conditional", data_root=other)


def test_classes_of_a_conditional_model_must_be_those_of_its_training(small, tmp_path, caplog):
    root = write_photos(tmp_path / "photos", "a", "b", "c")
    options = ["data=image_folder", f"data.root={root}", "data.image_shape=[1,8,8]", "trainer.max_epochs=1"]
    train(small(*options, "model=cvae"))
    same = write_photos(tmp_path / "same", "a", "b", "c")
    (same / "a" / "0.png").unlink()
    load_run(tmp_path / "run", data_root=same)
    assert "have changed" not in caplog.text  # of images that were passed on purpose
    with pytest.raises(UserError, match=r"^data: label 1 of the images means d, but VAE was trained with b\. Use"):
        load_run(tmp_path / "run", data_root=write_photos(tmp_path / "other", "a", "d", "e"))


def test_images_of_another_shape_are_still_rejected(run):
    np.save(run / "x.npy", np.zeros((40, 9, 9)))
    config = {"_target_": "vae_lightning.data.ArrayDataModule", "root": str(run / "x.npy"), "image_shape": [1, 8, 8]}
    set_config_value(run, "data", {**config, "num_classes": 10})
    with pytest.raises(UserError, match=r"data.image_shape=\[1, 8, 8\]: the train images have \[1, 9, 9\]"):
        load_run(run)


def test_data_root_of_data_without_a_directory_is_rejected(run):
    with pytest.raises(UserError, match=r"^--data-root=x: the data of this run has no directory"):
        load_run(run, data_root="x")


def test_debug_is_accepted_before_and_after_the_command(run):
    set_config_value(run, "data", None)
    for arguments in (["--debug", "evaluate", "run"], ["evaluate", "run", "--debug"]):
        with pytest.raises(UserError):
            main([argument if argument != "run" else str(run) for argument in arguments])


def test_labels_that_were_not_given_serve_to_evaluate(small):
    cfg = small("model=m2", "data.labeled_per_class=5", "trainer.max_epochs=1", "callbacks=minimal")
    train(cfg)
    assert not load_run(cfg.run_dir).data.has_unknown_labels
