"""Evaluation of finished runs: every model, `metrics.json` and the command line."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate

from vae_lightning.checkpointing.run_loading import LoadedRun
from vae_lightning.cli.main import main
from vae_lightning.data import Batch
from vae_lightning.distributions import ClassConditional, DiscretizedLogistic, DiscretizedLogisticMixture, VampPrior
from vae_lightning.errors import UserError
from vae_lightning.evaluation.context import EvaluationContext
from vae_lightning.evaluation.disentanglement import disentanglement
from vae_lightning.evaluation.downstream import downstream
from vae_lightning.evaluation.evaluate import evaluate
from vae_lightning.evaluation.feature_network import feature_network
from vae_lightning.evaluation.information import information
from vae_lightning.evaluation.likelihood import likelihood
from vae_lightning.evaluation.samples import samples
from vae_lightning.evaluation.settings import GROUPS, Settings
from vae_lightning.evaluation.table import flatten
from vae_lightning.evaluation.unfinished import Unfinished
from vae_lightning.models import (
    AAE,
    AE,
    CVAEGAN,
    DFCVAE,
    FSQVAE,
    HIWAE,
    HVAE,
    IWAE,
    LFQVAE,
    M2,
    PIWAE,
    RAE,
    RVQVAE,
    SWAE,
    VAE,
    VAEGAN,
    VDVAE,
    VQVAE,
    WAE,
    AutoencoderKL,
    ELBOModule,
    HamiltonianVAE,
    JointVAE,
    RiemannianHamiltonianVAE,
    VaDE,
)
from vae_lightning.networks import Ladder
from vae_lightning.posteriors import (
    FullCovariance,
    Gamma,
    InverseAutoregressiveFlow,
    PlanarFlow,
    PoincareBall,
    VonMisesFisher,
)
from vae_lightning.priors import GammaPrior, MixturePrior, SecondStageVAE, UniformSphere, WrappedNormalPrior
from vae_lightning.training.train import train

TINY = Settings(
    images=100,
    likelihood_images=20,
    samples=30,
    ais=2,
    ais_images=4,
    ais_chains=2,
    test_images=30,
    permutations=19,
    repeats=2,
    points=100,
    trees=3,
    probe_images=50,
    classifier_steps=3,
)
UNBOUNDED = (
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "gaussian_wasserstein_correlation_norm",
    "mutual_information_score",
)
CONDITIONAL = {"conditional": True}
MODELS = {
    "vae": VAE,
    "cvae": partial(VAE, **CONDITIONAL),
    "by_class": partial(VAE, **CONDITIONAL, prior=ClassConditional),
    "vamp_vae": partial(VAE, prior=partial(VampPrior, num_components=4)),
    "iwae": partial(IWAE, num_samples=3),
    "piwae": partial(PIWAE, num_bounds=2, num_samples=2),
    "full_covariance": partial(VAE, posterior=FullCovariance),
    "planar_vae": partial(VAE, posterior=PlanarFlow),
    "vmf_vae": partial(VAE, posterior=VonMisesFisher, prior=UniformSphere),
    "poincare_vae": partial(VAE, posterior=PoincareBall, prior=WrappedNormalPrior),
    "gamma_vae": partial(VAE, posterior=Gamma, prior=GammaPrior),
    "iaf_vae": partial(IWAE, posterior=InverseAutoregressiveFlow),
    "hvae": partial(HVAE, num_groups=2, hidden_dims=[8]),
    "hvae_mixture": partial(HVAE, num_groups=2, hidden_dims=[8], prior=MixturePrior),
    "vdvae": partial(VDVAE, network=Ladder(channels=[4, 8], groups=[0, 2])),
    "hiwae": partial(HIWAE, num_samples=3, upper_dims=[2], hidden_dims=[8]),
    "hamiltonian_vae": HamiltonianVAE,
    "riemannian_hamiltonian_vae": partial(RiemannianHamiltonianVAE, num_centroids=5),
    "joint_vae": partial(JointVAE, categories=[2]),
    "vae_gan": partial(VAEGAN, gamma=0.5, discriminator_optimizer=torch.optim.Adam),
    "autoencoder_kl": AutoencoderKL,
    "cvae_gan": partial(CVAEGAN, **CONDITIONAL),
    "m2": partial(M2, **CONDITIONAL),
    "vade": VaDE,
    "ae": AE,
    "wae": partial(WAE, lambda_mmd=10.0, kernel="imq"),
    "swae": SWAE,
    "dfc_vae": DFCVAE,
    "aae": partial(AAE, discriminator_dims=[16]),
    "rae": RAE,
    "vq_vae": partial(VQVAE, beta=0.25, code_dim=1, codebook_size=4, ema=False, decay=0.9),
    "fsq_vae": partial(FSQVAE, levels=[3]),
    "lfq_vae": partial(LFQVAE, code_dim=1),
    "rvq_vae": partial(RVQVAE, code_dim=1, codebook_size=4, depth=2),
}
WITHOUT_RATE = ("ae", "wae", "swae", "rae", "aae")
WITHOUT_CHAINS = ("hvae", "hvae_mixture", "hiwae", "vdvae", "vmf_vae", "poincare_vae", "joint_vae")  # in latent space
WITHOUT_CHAINS += ("gamma_vae",)
CODES = ("vq_vae", "fsq_vae", "lfq_vae", "rvq_vae")
WITHOUT_DENSITY = (*WITHOUT_RATE, *CODES)
NOT_FACTORIZED = ("hvae", "hiwae", "vdvae", "full_covariance", "planar_vae", "iaf_vae", "vmf_vae", "poincare_vae")
NOT_FACTORIZED += ("gamma_vae", "joint_vae", "hamiltonian_vae", "riemannian_hamiltonian_vae", "hvae_mixture")


def build(name: str, parts: dict[str, Any]) -> ELBOModule:
    """Build one of `MODELS` from the small parts, some of which it may replace."""
    return MODELS[name](**{**parts, **getattr(MODELS[name], "keywords", {})})


def noise_splits(labels: str) -> dict[str, Batch]:
    """Return 120 images of noise for training and testing and none for validation, with labels of the given kind."""
    n = torch.arange(120)
    y = {"classes": n % 10, "factors": torch.stack([n % 2, n % 3], dim=1), "none": None}[labels]
    x = torch.randint(256, (120, 1, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return {"train": Batch(x, y), "val": Batch(x[:0], None if y is None else y[:0]), "test": Batch(x, y)}


@pytest.fixture
def make_context(small, tmp_path) -> Callable[..., EvaluationContext]:
    """Make the context of a model and images of noise: make_context(model, labels="factors")."""

    def make(model, labels: str = "classes", settings: Settings = TINY, binarize: str = "none") -> EvaluationContext:
        data = instantiate(small(f"data.binarize={binarize}").data, _convert_="all")
        data.splits = noise_splits(labels)
        run = LoadedRun(tmp_path, {}, model.eval().requires_grad_(False), data)
        unfinished = Unfinished(tmp_path, "group", f"{id(model)} {settings}")
        return EvaluationContext(run, settings, torch.device("cpu"), lambda steps, _: steps, unfinished)

    return make


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_its_numbers_or_a_reason_why_not(name, parts, make_context):
    context = make_context(build(name, parts))
    found = likelihood(context) | information(context) | samples(context) | downstream(context)
    for result in found.values():
        assert result.value is not None or result.note.startswith("unavailable: ")
    assert found["distortion"].value > 0
    assert found["psnr"].value > 0
    assert found["fid"].value > 0
    assert 0 < found["mmd_p_value"].value <= 1
    assert 0 <= found["linear_probe"].value <= 1
    assert (found["log_px"].value is None) == (name in WITHOUT_DENSITY)
    assert (found["nelbo"].value is None) == (name in WITHOUT_RATE)
    assert (found["ais_log_px"].value is None) == (name in (*WITHOUT_CHAINS, *CODES))
    assert (found["ais_gap"].value is None) == (name in (*WITHOUT_CHAINS, *CODES))
    assert (found["mutual_information"].value is None) == (name in (*WITHOUT_DENSITY, *NOT_FACTORIZED))
    other_prior = ("by_class", "vamp_vae", "vade")
    assert (found["dimension_wise_kl"].value is None) == (name in (*WITHOUT_DENSITY, *NOT_FACTORIZED, *other_prior))
    assert (found["clustering_accuracy"].value is None) == (found["clustering_nmi"].value is None)
    assert (found["clustering_accuracy"].value is None) == (name not in ("vade", "hvae_mixture"))
    if name not in WITHOUT_DENSITY:
        assert -found["log_px"].value < found["nelbo"].value
    if name not in WITHOUT_RATE:
        total = found["distortion"].value + found["rate"].value
        assert found["nelbo"].value == pytest.approx(total)


def test_bound_and_terms_equal_those_of_training(parts, make_context):
    """With many draws the rate approaches its closed form, and the three terms sum to the rate of the same draws."""
    model = VAE(**parts)
    context = make_context(model, settings=Settings(images=100, samples=2000, test_images=30))
    found = likelihood(context) | information(context)
    rate = model.objective(model(context.x))["rate"].item()
    assert found["rate"].value == pytest.approx(rate, abs=0.05)
    assert sum(found["kl_per_latent"].value) == pytest.approx(rate, rel=1e-4)
    z = context.encoded.z
    q = model.encode(context.x)
    sampled = (q.log_prob(z) - model.prior(None, None).log_prob(z)).mean().item()
    terms = ("mutual_information", "total_correlation", "dimension_wise_kl")
    assert sum(found[term].value for term in terms) == pytest.approx(sampled, abs=1e-4)


@pytest.mark.parametrize("name", ["vae", "cvae", "by_class"])
def test_annealing_agrees_with_importance_sampling(name, parts, make_context):
    """For a model with few latents, both are accurate. The gap of the bounds falls with the steps."""
    model = build(name, parts)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter *= 2.5  # the posterior of an untrained model is too close to the prior
    settings = Settings(likelihood_images=10, samples=2000, ais=60, ais_images=10, ais_chains=20, chunk=100)
    found = likelihood(make_context(model, settings=settings))
    assert found["ais_log_px"].value == pytest.approx(found["log_px"].value, abs=0.1)
    assert abs(found["ais_gap"].value) < 0.5
    short = likelihood(make_context(model, settings=replace(settings, samples=1, ais=1)))
    assert short["ais_gap"].value > 1
    assert "ais_gap" not in likelihood(make_context(model, settings=replace(settings, samples=1, ais=0)))


def test_annealing_does_not_depend_on_the_pass_size_of_importance_sampling(parts, make_context):
    model, settings = VAE(**parts), replace(TINY, ais=3, ais_images=6, ais_chains=2)
    one, other = (likelihood(make_context(model, settings=replace(settings, chunk=chunk))) for chunk in (2, 100))
    assert one["ais_log_px"] == other["ais_log_px"]
    assert one["ais_gap"] == other["ais_gap"]


def test_annealing_requires_an_exact_prior(parts, make_context):
    model = VAE(**{**parts, "prior": SecondStageVAE})
    found = likelihood(make_context(model, settings=replace(TINY, ais=2)))
    assert found["ais_log_px"].note == "unavailable: log p(z) of VAE is an estimate, which would bias the chains"


def test_annealing_without_samples_has_a_lower_bound_only(parts, make_context):
    model = VAE(**{**parts, "likelihood": DiscretizedLogisticMixture()})
    settings = replace(TINY, ais=2, ais_images=3, ais_chains=2)
    found = likelihood(make_context(model, settings=settings))
    assert found["ais_log_px"].value is not None
    assert found["ais_gap"].note == "unavailable: DiscretizedLogisticMixture has no samples of single pixels"


def test_infer_of_hierarchy_equals_training(parts):
    """The noise of a forward pass gives the same draws and the same ratio of densities."""
    model = MODELS["hvae"](**parts)
    x = torch.rand(4, 1, 8, 8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        out = model(x)
        torch.manual_seed(0)
        noise = torch.cat([torch.randn(4, 3), torch.randn(4, 3)], dim=1)
    qz, pz, z = model.infer(x, noise=noise)
    torch.testing.assert_close(z, out.z)
    torch.testing.assert_close(pz.log_prob(z) - qz.log_prob(z), out.pz.log_prob(out.z) - out.qz.log_prob(out.z))


def test_posterior_and_prior_are_drawn_independently(make_context, parts):
    """If the posterior is the prior, its draws are the noise. The two-sample test needs other noise for the prior."""
    model = VAE(**parts)
    for parameter in model.posterior.parameters():
        torch.nn.init.zeros_(parameter)
    context = make_context(model)
    z, prior = context.encoded.z, context.sample_prior(100)
    assert torch.cdist(z, prior).min() > 0


@pytest.mark.parametrize("name", ["cvae", "by_class", "hvae", "vamp_vae", *NOT_FACTORIZED[1:]])
def test_log_px_does_not_depend_on_the_chunk(name, parts, make_context):
    model = build(name, parts)
    values = [
        likelihood(make_context(model, settings=Settings(likelihood_images=7, samples=20, chunk=chunk)))["log_px"]
        for chunk in (3, 20, 1000)
    ]
    assert values[0].value == pytest.approx(values[1].value, rel=1e-6)
    assert values[0].value == pytest.approx(values[2].value, rel=1e-6)


@pytest.mark.parametrize(("name", "terms"), [("vae", 3), ("vq_vae", 3), ("ae", 1)])
def test_terms_of_the_likelihood_tell_the_number_of_their_images(name, terms, parts, make_context):
    found = likelihood(make_context(build(name, parts)))
    notes = [found[term].note for term in ("nelbo", "distortion", "rate")]
    assert sum(note.startswith("nats; 20 images") for note in notes) == terms


@pytest.mark.parametrize("binarize", ["none", "dynamic"])
def test_cross_entropy_of_images_that_are_not_binary_is_no_likelihood(binarize, parts, make_context):
    note = likelihood(make_context(VAE(**parts), binarize=binarize))["log_px"].note
    assert ("for pixels between 0 and 1 not a likelihood" in note) == (binarize == "none")


def test_bits_per_dim_needs_a_likelihood_of_8_bit_images(parts, make_context):
    model = VAE(**{**parts, "likelihood": DiscretizedLogistic(scale=0.1)})
    found = likelihood(make_context(model))
    assert found["bits_per_dim"].value == pytest.approx(-found["log_px"].value / (64 * math.log(2)))
    missing = likelihood(make_context(VAE(**parts)))["bits_per_dim"]
    assert missing == (None, None, None, "unavailable: Bernoulli is not a probability of 8-bit images")


def test_disentanglement_needs_factors(parts, make_context):
    model = VAE(**parts)
    found = disentanglement(make_context(model, "factors"), peers=[VAE(**parts).eval()])
    for name, result in found.items():
        assert result.value >= 0, name
        if name not in UNBOUNDED:
            assert result.value <= 1, name
        if name != "udr":
            assert result.std is not None
            assert result.note.startswith("2 x 50 images; ")
    classes = disentanglement(make_context(model))
    reason = "unavailable: the labels are classes, not several factors of variation"
    assert {name for name, result in classes.items() if result.note != reason} == {*UNBOUNDED, "udr"}
    assert classes["gaussian_total_correlation"].value == found["gaussian_total_correlation"].value
    assert "--peers" in classes["udr"].note
    assert disentanglement(make_context(model, "none"))["mig"].note == "unavailable: these images have no factors"


def test_probabilistic_mig_needs_gaussian_posteriors_of_independent_latents(parts, make_context):
    for name in ("ae", "hvae", "vq_vae"):
        result = disentanglement(make_context(build(name, parts), "factors"))["probabilistic_mig"]
        assert result.note.startswith("unavailable: q(z|x) of "), name


def test_metrics_that_train_on_half_of_the_images_have_a_count_of_their_own(parts, make_context):
    settings = replace(TINY, factor_images=20, halved_images=40, boosting=True)
    found = disentanglement(make_context(VAE(**parts), "factors", settings))
    halved = {name for name, result in found.items() if "half" in result.note}
    assert halved == {name for name, result in found.items() if result.note.startswith("2 x 40 images; ")}
    assert {"sap", "sap_svm", "explicitness", "dci_completeness", "dci_completeness_gbt"} <= halved


def test_accuracy_with_few_labels(parts, make_context):
    found = downstream(make_context(VAE(**parts), settings=replace(TINY, probe_images=120, boosting=True)))
    for name in ("linear_probe", "boosted_trees"):
        few, many = found[f"{name}_100"], found[name]
        assert 0 < few.value < 1
        assert few.std is not None
        assert found[f"{name}_efficiency"].value == pytest.approx(few.value / many.value)
    too_few = downstream(make_context(VAE(**parts)))
    assert too_few["linear_probe_efficiency"].note == "unavailable: there are only 50 training images"


def test_training_images_do_not_test_classifiers_that_they_train(parts, make_context):
    found = downstream(make_context(VAE(**parts), settings=replace(TINY, split="train")))
    assert found["linear_probe"].note == "unavailable: these images would train the classifiers that they test"


def test_units_that_only_follow_the_prior_of_their_class_are_not_active(parts, make_context):
    model = build("by_class", parts)
    torch.nn.init.normal_(model.prior.mu.weight)
    model.encode = lambda x, y: model.prior(None, model.condition(y))
    found = information(make_context(model))
    assert found["active_units"].value == 0
    assert max(found["kl_per_latent"].value) == 0


def test_udr_is_deterministic(parts, make_context):
    model = VAE(**parts).eval()
    context = make_context(model, "none")
    assert disentanglement(context, peers=[model])["udr"].value == disentanglement(context, peers=[model])["udr"].value


def test_unlabeled_images_have_no_probe_and_no_classifier(parts, make_context):
    context = make_context(VAE(**parts), "none")
    found = samples(context) | downstream(context)
    assert found["psnr"].value is not None
    assert "--features inception" in found["fid"].note
    assert found["knn"].note == "unavailable: these images have no labels"


@pytest.mark.parametrize("name", ["vae", "cvae"])
def test_samples_that_are_the_images(name, parts, make_context, monkeypatch):
    """A model that copies the images of each label has no distance to them, and the accuracy of the classifier."""
    context = make_context(build(name, parts), settings=replace(TINY, classifier_steps=100))
    copies = [context.model.as_images(x) for x, _ in context.batches(Batch(context.x, context.y))]
    monkeypatch.setattr("vae_lightning.evaluation.samples.sample_batches", lambda *_: iter(copies))
    found = samples(context)
    assert found["fid"].value == pytest.approx(0, abs=1e-4)
    assert [found[metric].value for metric in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert found["density"].value >= 1
    assert found["precision"].note == "100 samples and images, features of a classifier of these images"
    accuracy, score = found["classifier_accuracy"].value, found["classifier_score"]
    assert 0.5 < accuracy <= 1
    assert 2 < score.value <= 10
    assert score.note == f"1 to 10; {score.value:.4g} for the images"
    if name == "vae":
        assert found["class_accuracy"].note == "unavailable: VAE is not conditional"
    else:
        assert found["class_accuracy"].value == accuracy


def test_metrics_of_classes_need_a_classifier_of_classes(parts, make_context, monkeypatch):
    found = samples(make_context(VAE(**parts), "factors"))
    assert found["precision"].value is not None
    assert found["classifier_accuracy"].value is not None
    for name in ("classifier_score", "class_accuracy"):
        assert found[name].note == "unavailable: the labels are several factors, not classes"

    network = torch.nn.Flatten()
    network.num_features = 64
    monkeypatch.setattr("vae_lightning.evaluation.feature_network.Inception", lambda: network)
    found = samples(make_context(VAE(**parts), "none", replace(TINY, features="inception")))
    assert found["recall"].note == "100 samples and images, features of Inception-v3"
    assert found["classifier_score"].note == "unavailable: requires --features classifier"


def test_classifier_is_trained_once_per_data_and_settings(parts, make_context, monkeypatch):
    monkeypatch.setattr("vae_lightning.evaluation.feature_network.CLASSIFIERS", {})
    first = feature_network(make_context(VAE(**parts)))
    assert feature_network(make_context(AE(**parts))) is first
    assert feature_network(make_context(VAE(**parts), "factors")) is not first
    assert feature_network(make_context(VAE(**parts), settings=replace(TINY, classifier_steps=4))) is not first
    assert feature_network(make_context(VAE(**parts), settings=replace(TINY, seed=1))) is not first


def test_images_are_binarized_as_in_training(parts, make_context):
    one, two = (make_context(VAE(**parts), binarize="dynamic") for _ in range(2))
    assert set(one.x.unique().tolist()) == {0, 255}
    assert torch.equal(one.x, two.x)


def test_empty_split_raises(parts, make_context):
    with pytest.raises(UserError, match="--split=val: this run has no val images"):
        make_context(VAE(**parts), settings=Settings(split="val"))


def test_flatten_adds_the_uncertainty_to_each_number(parts, make_context):
    context = make_context(VAE(**parts), "factors")
    numbers = flatten("likelihood", likelihood(context)) | flatten("disentanglement", disentanglement(context))
    assert {"likelihood/log_px_se", "disentanglement/mig_std"} <= set(numbers)


# ---------------------------------------------------------------- metrics.json and the command line

FEW = {"images": 60, "samples": 5, "repeats": 2, "trees": 2}


def test_evaluate_adds_to_the_metrics_of_the_run(small, capsys):
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


def test_evaluate_with_a_protocol_records_its_name_and_settings(small, capsys):
    cfg = small("trainer.max_epochs=1", "logger=none")
    train(cfg)
    numbers = evaluate(cfg.run_dir, protocol="locatello2019", repeats=1)
    assert {name.partition("/")[0] for name in numbers} == {"disentanglement"}
    settings = json.loads((Path(cfg.run_dir) / "metrics.json").read_text())["evaluation"]["disentanglement"]["settings"]
    assert settings["preset"] == "locatello2019"
    assert (settings["split"], settings["images"], settings["factor_images"]) == ("train", 40_000, 10_000)
    assert "VAE, locatello2019, " in capsys.readouterr().out


def test_evaluate_computes_all_groups_by_default(small):
    cfg = small("trainer.max_epochs=1", "logger=none")
    train(cfg)
    numbers = evaluate(cfg.run_dir, quick=True, classifier_steps=2, permutations=9, **FEW)
    assert {name.partition("/")[0] for name in numbers} == set(GROUPS) - {"anomaly"}
    assert numbers["disentanglement/mig"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "speed"], "--only=speed: .*Choose one of likelihood, information"),
        (["--protocol", "suter2019"], "--protocol=suter2019: .*Choose one of locatello2019"),
        (["--protocol", "locatello2019", "--quick"], "--protocol=locatello2019: .*Remove --quick"),
        (["--protocol", "locatello2019", "--only", "samples"], "--only=samples: .*Choose one of disentanglement"),
        (["--samples", "0"], "--samples=0: must be an integer >= 1"),
        (["--split", "all"], "--split=all: .*Choose one of train, val, test"),
        (["--features", "vgg"], "--features=vgg: .*Choose one of classifier, inception"),
        (["--seed", "-1"], "--seed=-1: must be an integer >= 0"),
        ([], "no such run or checkpoint"),
    ],
)
def test_invalid_options_are_reported_on_one_line(options, message, tmp_path):
    run = tmp_path / "run" / "checkpoints" / "best.ckpt"
    run.parent.mkdir(parents=True)
    run.touch()  # options are checked before it is read
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main(["evaluate", str(run if options else tmp_path / "nowhere"), *options])


def test_evaluate_latest_uses_the_newest_run(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        train(small("trainer.max_epochs=1", "logger=none", run=f"runs/vae/{name}"))
    evaluate("latest", quick=True, only=["downstream"], **FEW)
    assert "evaluation" not in json.loads(Path("runs/vae/first/metrics.json").read_text())
    assert "evaluation" in json.loads(Path("runs/vae/second/metrics.json").read_text())


@pytest.mark.slow
def test_settings_are_imported_without_torch():
    code = "import sys, vae_lightning.evaluation.settings; print({'torch', 'lightning'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
