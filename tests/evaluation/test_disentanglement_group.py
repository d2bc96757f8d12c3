"""The group of metrics `disentanglement`."""

from dataclasses import replace

from evaluation_cases import TINY, build

from vae_lightning.evaluation.disentanglement import disentanglement
from vae_lightning.evaluation.results import GIVEN_LABELS
from vae_lightning.models import VAE

UNBOUNDED = (
    "gaussian_total_correlation",
    "gaussian_wasserstein_correlation",
    "gaussian_wasserstein_correlation_norm",
    "mutual_information_score",
)


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
    given = disentanglement(make_context(VAE(**{**parts, "conditional": True, "num_classes": 2}), "factors"))
    assert given["mig"].note == f"unavailable: {GIVEN_LABELS}"
    assert given["gaussian_total_correlation"].value >= 0
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


def test_udr_is_deterministic(parts, make_context):
    model = VAE(**parts).eval()
    context = make_context(model, "none")
    assert disentanglement(context, peers=[model])["udr"].value == disentanglement(context, peers=[model])["udr"].value
