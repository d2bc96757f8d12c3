"""A finished run to its numbers: every model, the file, the command line."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate

from vae_lightning.cli import main
from vae_lightning.data import Batch
from vae_lightning.distributions import ClassConditional, DiscretizedLogistic, VampPrior
from vae_lightning.errors import UserError
from vae_lightning.evaluate import GROUPS, evaluate
from vae_lightning.evaluation import Settings, Subject, disentanglement, downstream, information, likelihood, samples
from vae_lightning.evaluation.subject import draw
from vae_lightning.evaluation.table import flat
from vae_lightning.finished import FinishedRun
from vae_lightning.models import AE, HVAE, IWAE, VAE, VAEGAN, VQVAE, WAE, ELBOModule
from vae_lightning.train import train

TINY = Settings(
    images=100,
    likelihood_images=20,
    samples=30,
    test_images=30,
    permutations=19,
    repeats=2,
    points=100,
    trees=3,
    probe_images=50,
    classifier_steps=3,
)
CONDITIONAL = {"conditional": True}
MODELS = {
    "vae": VAE,
    "cvae": partial(VAE, **CONDITIONAL),
    "by_class": partial(VAE, **CONDITIONAL, prior=ClassConditional),
    "vamp_vae": partial(VAE, prior=partial(VampPrior, num_components=4)),
    "iwae": partial(IWAE, num_samples=3),
    "hvae": partial(HVAE, num_groups=2, hidden_dims=[8]),
    "vae_gan": partial(VAEGAN, gamma=0.5, discriminator_optimizer=torch.optim.Adam),
    "ae": AE,
    "wae": partial(WAE, lambda_mmd=10.0, kernel="imq"),
    "vq_vae": partial(VQVAE, beta=0.25, code_dim=1, num_codes=4, ema=False, decay=0.9),
}
WITHOUT_DENSITY = ("ae", "wae", "vq_vae")


def built(name: str, parts: dict[str, Any]) -> ELBOModule:
    """One of `MODELS` of the small parts, of which it may replace some."""
    return MODELS[name](**{**parts, **getattr(MODELS[name], "keywords", {})})


def noise(labels: str) -> dict[str, Batch]:
    """120 images a split, none to validate, with labels of the kind that is asked for."""
    n = torch.arange(120)
    y = {"classes": n % 10, "factors": torch.stack([n % 2, n % 3], dim=1), "none": None}[labels]
    x = torch.randint(256, (120, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return {"train": Batch(x, y), "val": Batch(x[:0], None if y is None else y[:0]), "test": Batch(x, y)}


@pytest.fixture
def ask(small, tmp_path) -> Callable[..., Subject]:
    """A model and images of noise, to be asked: ask(model, labels="factors")."""

    def asked(model, labels: str = "classes", settings: Settings = TINY, binarize: str = "none") -> Subject:
        data = instantiate(small(f"data.binarize={binarize}").data, _convert_="all")
        data.splits = noise(labels)
        run = FinishedRun(tmp_path, {}, model.eval().requires_grad_(False), data)
        return Subject(run, settings, torch.device("cpu"), lambda steps, _: steps)

    return asked


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_its_numbers_or_says_why_not(name, parts, ask):
    asked = ask(built(name, parts))
    found = likelihood(asked) | information(asked) | samples(asked) | downstream(asked)
    for finding in found.values():
        assert finding.value is not None or finding.note.startswith("no: ")
    assert found["distortion"].value > 0
    assert found["psnr"].value > 0
    assert found["fid"].value > 0
    assert 0 < found["mmd_p_value"].value <= 1
    assert 0 <= found["linear_probe"].value <= 1
    assert (found["log_px"].value is None) == (name in WITHOUT_DENSITY)
    assert (found["nelbo"].value is None) == (name in ("ae", "wae"))
    assert (found["mutual_information"].value is None) == (name in (*WITHOUT_DENSITY, "hvae"))
    assert (found["dimension_wise_kl"].value is None) == (name in (*WITHOUT_DENSITY, "hvae", "by_class", "vamp_vae"))
    if name not in WITHOUT_DENSITY:
        assert -found["log_px"].value < found["nelbo"].value
    if name != "ae" and name != "wae":
        total = found["distortion"].value + found["rate"].value
        assert found["nelbo"].value == pytest.approx(total)


def test_the_bound_and_the_terms_are_those_of_training(parts, ask):
    """With many draws distortion and rate are the closed form's; the three terms sum to the rate of the same draws."""
    model = VAE(**parts)
    asked = ask(model, settings=Settings(images=100, samples=2000, test_images=30))
    found = likelihood(asked) | information(asked)
    rate = model.objective(model(asked.x))["rate"].item()
    assert found["rate"].value == pytest.approx(rate, abs=0.05)
    assert sum(found["kl_per_latent"].value) == pytest.approx(rate, rel=1e-4)
    z = asked.encoded.z
    q = model.encode(asked.x)
    sampled = (q.log_prob(z) - model.prior(None, None).log_prob(z)).mean().item()
    terms = ("mutual_information", "total_correlation", "dimension_wise_kl")
    assert sum(found[term].value for term in terms) == pytest.approx(sampled, abs=1e-4)


def test_a_hierarchy_is_drawn_as_it_is_trained(parts):
    """The very noise of a pass gives the very draws, and the ratio of the densities."""
    model = MODELS["hvae"](**parts)
    x = torch.rand(4, 1, 8, 8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        s = model(x)
        torch.manual_seed(0)
        noise = torch.cat([torch.randn(4, 3), torch.randn(4, 3)], dim=1)
    qz, pz, z = draw(model, x, None, noise[:, None])
    torch.testing.assert_close(z, s.z)
    torch.testing.assert_close(pz.log_prob(z) - qz.log_prob(z), s.pz.log_prob(s.z) - s.qz.log_prob(s.z))


def test_posterior_and_prior_are_drawn_apart(ask, parts):
    """Of a posterior that is the prior the draws are the noise; the test of two samples needs that of the other new."""
    model = VAE(**parts)
    for parameter in model.posterior.parameters():
        torch.nn.init.zeros_(parameter)
    asked = ask(model)
    z, prior = asked.encoded.z, asked.from_prior(100)
    assert torch.cdist(z, prior).min() > 0


@pytest.mark.parametrize("name", ["cvae", "by_class", "hvae", "vamp_vae"])
def test_log_px_does_not_depend_on_the_chunk(name, parts, ask):
    model = built(name, parts)
    values = [
        likelihood(ask(model, settings=Settings(likelihood_images=7, samples=20, chunk=chunk)))["log_px"]
        for chunk in (3, 20, 1000)
    ]
    assert values[0].value == pytest.approx(values[1].value, rel=1e-6)
    assert values[0].value == pytest.approx(values[2].value, rel=1e-6)


def test_bits_are_given_of_8_bit_images_alone(parts, ask):
    model = VAE(**{**parts, "likelihood": DiscretizedLogistic(scale=0.1)})
    found = likelihood(ask(model))
    assert found["bits_per_dim"].value == pytest.approx(-found["log_px"].value / (64 * math.log(2)))
    refusal = likelihood(ask(VAE(**parts)))["bits_per_dim"]
    assert refusal == (None, None, None, "no: Bernoulli is no probability of 8-bit images")


def test_factors_have_all_metrics_and_what_has_none_says_so(parts, ask):
    model = VAE(**parts)
    found = disentanglement(ask(model, "factors"), peers=[VAE(**parts).eval()])
    for name, finding in found.items():
        assert 0 <= finding.value <= 1, name
        if name != "udr":
            assert finding.std is not None
            assert finding.note.startswith("2 x 50 images; ")
    classes = disentanglement(ask(model))
    assert {f.note for n, f in classes.items() if n != "udr"} == {
        "no: the labels are classes, not factors that vary one by one"
    }
    assert "--peers" in classes["udr"].note
    assert disentanglement(ask(model, "none"))["mig"].note == "no: these images have no factors"


def test_a_run_is_its_own_peer(parts, ask):
    model = VAE(**parts).eval()
    asked = ask(model, "none")
    assert disentanglement(asked, peers=[model])["udr"].value == disentanglement(asked, peers=[model])["udr"].value


def test_unlabelled_images_have_no_probe_and_no_classifier(parts, ask):
    asked = ask(VAE(**parts), "none")
    found = samples(asked) | downstream(asked)
    assert found["psnr"].value is not None
    assert "--features inception" in found["fid"].note
    assert found["knn"].note == "no: these images have no labels"


def test_images_that_are_binarised_in_training_are_so_here(parts, ask):
    one, two = (ask(VAE(**parts), binarize="dynamic") for _ in range(2))
    assert set(one.x.unique().tolist()) == {0, 255}
    assert torch.equal(one.x, two.x)


def test_a_split_without_images_is_told(parts, ask):
    with pytest.raises(UserError, match="--split=val: this run has no val images"):
        ask(VAE(**parts), settings=Settings(split="val"))


def test_uncertainty_stands_beside_its_number(parts, ask):
    asked = ask(VAE(**parts), "factors")
    numbers = flat("likelihood", likelihood(asked)) | flat("disentanglement", disentanglement(asked))
    assert {"likelihood/log_px_se", "disentanglement/mig_std"} <= set(numbers)


# ---------------------------------------------------------------- the file and the command line

FEW = {"images": 60, "samples": 5, "repeats": 2}


def test_evaluate_adds_to_what_the_run_has_written(small, capsys):
    cfg = small("trainer.max_epochs=1", "logger=none")
    trained = train(cfg)
    file = Path(cfg.run_dir) / "metrics.json"
    first = evaluate(cfg.run_dir, quick=True, only=["likelihood", "downstream"], **FEW)
    saved = json.loads(file.read_text())
    assert saved.items() >= trained.items()
    assert saved.items() >= first.items()
    assert saved["evaluation"]["likelihood"]["settings"]["samples"] == 5
    assert "K = 5, 60 images" in saved["evaluation"]["likelihood"]["notes"]["log_px"]
    assert "log_px" in capsys.readouterr().out

    main(["evaluate", cfg.run_dir, "--quick", "--only", "information", "--images", "50"])
    both = json.loads(file.read_text())
    assert both.items() >= {k: v for k, v in saved.items() if k != "evaluation"}.items()
    assert set(both["evaluation"]) == {"likelihood", "downstream", "information"}
    assert 0 <= both["information/active_units"] <= 3
    assert evaluate(cfg.run_dir, quick=True, only=["likelihood"], **FEW).items() <= first.items()


def test_all_groups_are_asked_for_by_default(small):
    cfg = small("trainer.max_epochs=1", "logger=none")
    train(cfg)
    numbers = evaluate(cfg.run_dir, quick=True, classifier_steps=2, permutations=9, **FEW)
    assert {name.partition("/")[0] for name in numbers} == set(GROUPS)
    assert numbers["disentanglement/mig"] is None


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--only", "speed"], "--only=speed: choose one of likelihood, information"),
        (["--samples", "0"], "--samples=0: type a number from 1 up"),
        (["--split", "all"], "--split=all: choose one of train, val, test"),
        (["--features", "vgg"], "--features=vgg: choose one of classifier, inception"),
        (["--seed", "-1"], "--seed=-1: type a number from 0 up"),
        ([], "there is no such run or checkpoint"),
    ],
)
def test_mistakes_are_told_in_one_line(typed, message, tmp_path):
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main(["evaluate", str(tmp_path / "nowhere"), *typed])
