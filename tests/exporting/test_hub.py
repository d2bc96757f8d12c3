"""Tests of model cards, and of pushing to and pulling from a hub that is a local folder."""

import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
import yaml
from huggingface_hub import ModelCard

import vae_lightning
from vae_lightning.cli.main import main
from vae_lightning.exporting.model_card import is_portable, model_card
from vae_lightning.training.train import train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the directory of a small run of a conditional VAE."""
    from conftest import ROOT, SMALL
    from hydra import compose, initialize_config_dir

    run_dir = tmp_path_factory.mktemp("run")
    options = ["logger=none", "model=cvae", "callbacks.figures.final=[training_curves]", "trainer.max_epochs=1"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        train(compose("train", [f"run_dir={run_dir}", *SMALL, *options]))
    (run_dir / ".hydra" / "overrides.yaml").write_text("- model=cvae\n- data.root=/home/me\n- '+model.x=a b'\n")
    return run_dir


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    """Replace the hub by a local folder of repositories, and return the folder."""
    root = tmp_path / "hub"

    class LocalApi:
        def create_repo(self, name, private, exist_ok):
            (root / name).mkdir(parents=True, exist_ok=exist_ok)

        def upload_folder(self, repo_id, folder_path, commit_message):
            shutil.copytree(folder_path, root / repo_id, dirs_exist_ok=True)

    def download_file(name, file, revision):
        if revision not in (None, "main"):
            raise FileNotFoundError(f"no revision {revision}")
        if not (root / name / file).is_file():
            raise FileNotFoundError(f"no {file} in {name}")
        return str(root / name / file)

    monkeypatch.setattr(huggingface_hub, "HfApi", LocalApi)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download_file)
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, revision, local_dir: shutil.copytree(root / name, local_dir)
    )
    return root


def fails(*arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    return str(stopped.value.code)


def test_push_then_load(run, hub, capsys):
    main(["push", str(run), "me/digits"])
    assert capsys.readouterr().out.endswith("https://huggingface.co/me/digits\n")
    assert {path.name for path in (hub / "me" / "digits").iterdir()} == {
        "README.md",
        "figures",
        "metrics.json",
        "model.safetensors",
    }
    expected = vae_lightning.load(run).state_dict()
    for url in ("hf://me/digits", "hf://me/digits@main"):
        weights = vae_lightning.load(url).state_dict()
        assert all(torch.equal(weights[name], value) for name, value in expected.items())


def test_pull_then_load(run, hub, tmp_path, capsys, monkeypatch):
    main(["push", str(run), "me/digits"])
    monkeypatch.chdir(tmp_path)
    main(["pull", "me/digits"])
    assert capsys.readouterr().out.splitlines()[-1] == "digits"
    assert vae_lightning.load("digits").condition_dim == 10


def test_edited_card_is_kept(run, hub):
    main(["push", str(run), "me/digits"])
    card = run / "hub" / "README.md"
    text = card.read_text().replace("license: other", "license: mit")
    card.write_text(text)
    main(["push", str(run), "me/digits"])
    assert (hub / "me" / "digits" / "README.md").read_text() == text


def test_errors_are_one_line(run, hub):
    assert fails("push", str(run), "digits") == (
        "error: digits: not a model on the hub. Pass owner/name or owner/name@revision."
    )
    assert fails("push", str(run), "me/digits@v1").startswith("error: me/digits@v1: models are pushed to the main")
    with pytest.raises(ValueError, match=r"hf://me/none: cannot be downloaded \(FileNotFoundError: no model"):
        vae_lightning.load("hf://me/none")
    with pytest.raises(ValueError, match=r"hf://none: not a model on the hub"):
        vae_lightning.load("hf://none")


def test_link_out_of_the_run_is_not_published(run, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_text("secret")
    copy = shutil.copytree(run, tmp_path / "copy", ignore=shutil.ignore_patterns("hub"))
    (copy / "figures" / "samples.png").unlink()
    (copy / "figures" / "samples.png").symlink_to(secret)
    assert "a link to a file outside of the run" in fails("export", str(copy), "--format", "hub")
    assert not list((copy / "hub" / "figures").iterdir())


def test_card_is_read_by_the_hub(run):
    main(["export", str(run), "--format", "hub", "--out", str(run / "read")])
    card = ModelCard.load(run / "read" / "README.md")
    results = {result.metric_type: result.metric_value for result in card.data.eval_results}
    metrics = yaml.safe_load((run / "metrics.json").read_text())
    assert results["nelbo"] == metrics["test/nelbo"]
    assert card.data.license == "other"
    assert card.data.model_name == "small"


def test_card_names_what_the_run_was(run):
    main(["export", str(run), "--format", "hub", "--out", str(run / "card")])
    text = (run / "card" / "README.md").read_text()
    assert "vae-lightning train model=cvae '+model.x=a b'" in text
    assert "/home/me" not in text
    assert "| latent_dim | 3 |" in text
    assert "| network | MLP |" in text
    assert "y=torch.arange(16) % 10" in text
    assert "![training_curves](figures/training_curves.png)" in text
    assert (run / "card" / "figures" / "training_curves.png").is_file()


def test_card_of_an_evaluated_run_shows_its_numbers():
    metrics = {"test/nelbo": 1.5, "samples/fid": None, "information/kl_per_latent": [1.0], "evaluation": {"a": {}}}
    config = {"name": "a", "model": {"_target_": "m.My"}, "data": {"_target_": "d.D"}, "trainer": {}}
    text = model_card(config, metrics, [], [])
    assert "| test/nelbo | 1.5 |" in text
    assert "fid" not in text


def test_card_of_a_learned_prior_samples_with_the_labels_of_its_model():
    autoencoder = {"_target_": "m.My", "conditional": True, "num_classes": 3}
    model = {"_target_": "m.Prior", "autoencoder": autoencoder}
    config = {"name": "a", "model": model, "data": {"_target_": "d.D"}, "trainer": {}}
    assert "model.sample(16, y=torch.arange(16) % 3)" in model_card(config, {}, [], [])


def test_text_of_a_run_is_escaped():
    config = {"name": "a|b\n# c", "model": {"_target_": "m.My"}, "data": {"_target_": "d.D"}, "trainer": {}}
    text = model_card(config, {}, ["x=`;rm"], [])
    assert "# a\\|b\\\\n\\# c" in text
    assert yaml.safe_load(text.split("---\n")[1])["tags"][-2:] == ["My", "D"]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("experiment=mnist_vae", True),
        ("callbacks=deep", True),
        ("callbacks.warmup.epochs=3", True),
        ("+trainer.gradient_clip_val=1", True),
        ("model/network=conv", True),
        ("data.root=/a", False),
        ("data.cache=/home/me", False),
        ("run_dir=x", False),
        ("hydra.run.dir=x", False),
        ("resume=latest", False),
        ("+data.cache_dir=x", False),
        ("+logger.mlflow.tracking_uri=http://me:secret@host", False),
        ("callbacks.figures.folder=/home/me", False),
    ],
)
def test_directories_and_accounts_are_not_portable(override, expected):
    assert is_portable(override) == expected
