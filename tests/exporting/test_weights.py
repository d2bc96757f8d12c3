"""Tests of exporting models to safetensors files, and of loading these files."""

import json

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

import vae_lightning
from vae_lightning.checkpointing.checkpoint_io import load_verified
from vae_lightning.checkpointing.safetensors_io import build_metadata, deserialize, serialize
from vae_lightning.cli.main import main
from vae_lightning.errors import UserError
from vae_lightning.exporting.graph_files import export_graphs
from vae_lightning.exporting.model_card import export_hub
from vae_lightning.exporting.weights import export_weights
from vae_lightning.models import VQVAE
from vae_lightning.networks import SpatialResNet
from vae_lightning.training.train import train

QUICK = ["~callbacks.figures", "logger=none"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the directory of a small run of a VQ-VAE, which also has buffers."""
    from conftest import ROOT, SMALL
    from hydra import compose, initialize_config_dir

    run_dir = tmp_path_factory.mktemp("run")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        train(compose("train", [f"run_dir={run_dir}", *SMALL, *QUICK, "model=vq_vae", "model.latent_dim=4"]))
    return run_dir


def test_exported_model_gives_the_same_reconstructions(run, tmp_path, images, capsys):
    main(["export", str(run), "--out", str(tmp_path / "mine.safetensors")])
    assert capsys.readouterr().out.strip() == str(tmp_path / "mine.safetensors")
    model, original = vae_lightning.load(tmp_path / "mine.safetensors"), vae_lightning.load(run)
    assert type(model) is type(original)
    assert not model.training
    assert torch.equal(model.reconstruct(images), original.reconstruct(images))


def test_weights_with_channels_last_are_serialized(tmp_path):
    """The format stores no memory formats."""
    model = VQVAE(image_shape=(1, 8, 8), network=SpatialResNet(channels=[4, 4]))
    assert any(not weight.is_contiguous() for weight in model.parameters())
    path = tmp_path / "model.safetensors"
    path.write_bytes(serialize(model.state_dict(), {"model": {}}))
    weights = deserialize(path)["state_dict"]
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())


def test_export_of_the_last_checkpoint(run):
    path = export_weights(run, checkpoint="last")
    assert path == run / "model.safetensors"
    last = load_verified(run / "checkpoints" / "last.ckpt")["state_dict"]
    weights = vae_lightning.load(path).state_dict()
    assert all(torch.equal(last[name], weights[name]) for name in last)
    with pytest.raises(UserError, match=r"--checkpoint=first: not a valid choice. Choose one of best, last"):
        export_weights(run, checkpoint="first")


def test_export_can_be_read_by_safetensors(run):
    with safe_open(export_weights(run), "pt") as file:
        config = json.loads(file.metadata()["config"])
        assert "decoder.0.weight" in file.keys()  # noqa: SIM118 - not a mapping
    assert config["model"]["_target_"] == "vae_lightning.models.VQVAE"
    assert config["data"]["image_shape"] == [1, 8, 8]


def test_exports_have_the_names_of_classes_and_the_crop(small, tmp_path):
    for i, name in enumerate(["ant", "bee", "猫"] * 8):
        file = tmp_path / "photos" / name / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 9), i).save(file)
    options = ["data=image_folder", f"data.root={tmp_path / 'photos'}", "data.crop=9", "trainer.max_epochs=1", *QUICK]
    train(small(*options, "data.image_shape=[1,8,8]"))
    run_dir = tmp_path / "run"
    (run_dir / ".hydra" / "overrides.yaml").write_text("[]")
    with safe_open(export_weights(run_dir), "pt") as file:
        assert json.loads(file.metadata()["config"])["label_names"] == ["ant", "bee", "猫"]
    card = (export_hub(run_dir) / "README.md").read_text()
    assert "| label names | ant, bee, 猫 |" in card
    assert "| crop | 9 |" in card
    onnxruntime = pytest.importorskip("onnxruntime")
    for source in (run_dir, run_dir / "model.safetensors"):
        (path,) = export_graphs(source, tmp_path / "onnx", only=["decoder"])
        metadata = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
        expected = {"image_shape": [1, 8, 8], "crop": 9, "binarize": "none", "label_names": ["ant", "bee", "猫"]}
        assert {name: json.loads(value) for name, value in metadata.items()} == expected


@pytest.mark.parametrize(("name", "old", "new"), [("shape", b"[2,3]", b"[3,2]"), ("type", b'"F32"', b'"I32"')])
def test_export_with_another_shape_or_type_of_the_same_bytes_raises(name, old, new, tmp_path):
    path = tmp_path / f"{name}.safetensors"
    content = serialize({"weight": torch.ones(2, 3)}, {})
    assert content.count(old) == 1
    path.write_bytes(content)
    deserialize(path)
    path.write_bytes(content.replace(old, new))
    with pytest.raises(UserError, match="damaged, its checksum is wrong"):
        deserialize(path)


def test_damaged_export_raises(run):
    path = export_weights(run)
    content = path.read_bytes()
    for at in [*range(0, 3000, 5), *range(3000, len(content), 97)]:
        damaged = bytearray(content)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"model.safetensors: (cannot be read|has no) .*") as error:
            vae_lightning.load(path)
        assert "\n" not in str(error.value)
    for size in (0, 7, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(UserError, match=r"model.safetensors: cannot be read as safetensors \("):
            vae_lightning.load(path)


@pytest.mark.parametrize(
    "target",
    ["os.system", "vae_lightning.checkpointing.loading.Path", "vae_lightning.loggers.TensorBoard"],
)
def test_untrusted_class_raises(target, tmp_path):
    """The checksum of the file is correct."""
    text = json.dumps({"model": {"_target_": "vae_lightning.models.VAE", "network": [{"_target_": target}]}})
    path = tmp_path / "evil.safetensors"
    weights = {"w": torch.zeros(1)}
    save_file(weights, path, build_metadata(weights, text))
    with pytest.raises(UserError, match=rf"evil.safetensors: names {target}, which is not trusted"):
        vae_lightning.load(path)


def test_file_without_metadata_raises(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"w": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=r"other.safetensors: has no config and sha256 in its metadata"):
        vae_lightning.load(path)


def test_resume_from_an_export_raises(run, small):
    options = [*QUICK, "model=vq_vae", "model.latent_dim=4", f"resume={export_weights(run)}"]
    with pytest.raises(UserError, match=r"model.safetensors: has no epoch, .*It holds weights only, .*Start a new run"):
        train(small(*options))


def test_export_to_a_missing_directory_raises(run, tmp_path):
    problem = r"model.safetensors: cannot be written \(No such file"
    with pytest.raises(UserError, match=rf"{problem} .*\. Pass another file with --out"):
        export_weights(run, tmp_path / "nowhere" / "model.safetensors")
