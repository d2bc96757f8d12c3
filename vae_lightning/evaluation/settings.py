"""The groups of metrics of an evaluation, and its sample counts. Imports no torch, so `--help` is fast."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from vae_lightning.errors import UserError, check_choice
from vae_lightning.types import SPLITS

GROUPS = ("likelihood", "information", "disentanglement", "samples", "downstream", "anomaly")
FEATURES = ("classifier", "inception")
PROTOCOL_GROUPS = {"locatello2019": ("disentanglement",)}  # the groups that a published protocol defines


@dataclass(frozen=True)
class Settings:
    """The sample counts of an evaluation. The defaults are those of the papers.

    Attributes:
        preset: the name of the settings that these started from, `default`, `quick` or a protocol.
        split: the images to evaluate, `train`, `val` or `test`.
        images: the maximum number of images, drawn at random.
        likelihood_images: the maximum number of these for log p(x), which takes the most time.
        samples: K, the draws per image for log p(x).
        chunk: the draws per pass, which affects memory but not the results.
        ais: T, the steps of annealed importance sampling, which is left out if it is 0.
        ais_images: the maximum number of images for it.
        ais_chains: per image.
        test_images: the draws on either side of the two-sample test, whose kernel matrix grows with their square.
        permutations: of the two-sample test.
        repeats: R, of each disentanglement metric.
        factor_images: the images per repeat, at most half of all images.
        halved_images: the same for the metrics that train on one half of them and test on the other.
        points: the training points or votes of the β-VAE and FactorVAE metrics; half as many are tested.
        standardize: scale the features of the β-VAE metric to variance 1.
        trees: per forest, and stages of boosting.
        boosting: also compute the metrics with gradient boosting, which take minutes per factor.
        sample_images: the maximum number of reconstructions, of samples, and of real images to compare them with.
        probe_images: the maximum number of training images for the downstream classifiers.
        features: the network for the metrics of samples, `classifier` or `inception`.
        classifier_steps: the training steps of the classifier.
        anomaly_images: the maximum number of images of each dataset in the search for anomalies.
        anomaly_samples: the draws per image for log p(x) of these.
        seed: of all random choices.
    """

    preset: str = "default"
    split: str = "test"
    images: int = 10_000
    likelihood_images: int = 10_000
    samples: int = 5_000
    chunk: int = 500
    ais: int = 0
    ais_images: int = 100
    ais_chains: int = 16
    test_images: int = 2_000
    permutations: int = 500
    repeats: int = 5
    factor_images: int = 10_000
    halved_images: int = 10_000
    points: int = 10_000
    standardize: bool = True
    trees: int = 100
    boosting: bool = False
    sample_images: int = 10_000
    probe_images: int = 10_000
    features: str = "classifier"
    classifier_steps: int = 2_000
    anomaly_images: int = 2_000
    anomaly_samples: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("--split", self.split, SPLITS)
        check_choice("--features", self.features, FEATURES)
        for field in fields(self):
            value = getattr(self, field.name)
            minimum = 0 if field.name in ("seed", "ais") else 1
            if isinstance(value, int) and not isinstance(value, bool) and value < minimum:
                raise UserError(f"--{field.name.replace('_', '-')}={value}: must be an integer >= {minimum}.")


QUICK = Settings(
    preset="quick",
    images=4_000,
    likelihood_images=250,
    samples=50,
    test_images=500,
    permutations=200,
    repeats=3,
    points=2_000,
    trees=20,
    sample_images=1_000,
    probe_images=2_000,
    classifier_steps=300,
    anomaly_images=250,
    anomaly_samples=20,
)

# disentanglement_lib 86a644d, config/unsupervised_study_v1/metric_configs: 10,000 points, and 5,000 more to test on.
# There, a model is trained and evaluated on all images.
PROTOCOLS = {
    "locatello2019": Settings(
        preset="locatello2019", split="train", images=40_000, halved_images=20_000, standardize=False, boosting=True
    )
}


def resolve_settings(quick: bool, protocol: str | None = None, **changes: Any) -> Settings:
    """Return the default settings, the quick ones or those of a protocol, with some fields changed.

    If `images` is given, it also sets the number of images for the likelihood, the samples and the anomalies.

    Args:
        quick: start from `QUICK`.
        protocol: start from one of `PROTOCOLS`.
        **changes: fields of `Settings`; None keeps the default.

    Raises:
        UserError: if a value is invalid, or both `quick` and a protocol are given.
    """
    if protocol is not None:
        check_choice("--protocol", protocol, PROTOCOLS)
        if quick:
            raise UserError(f"--protocol={protocol}: sets the sample counts. Remove --quick.")
    chosen = {name: value for name, value in changes.items() if value is not None}
    if "images" in chosen:
        chosen = dict.fromkeys(("likelihood_images", "sample_images", "anomaly_images"), chosen["images"]) | chosen
    start = PROTOCOLS[protocol] if protocol else QUICK if quick else Settings()
    return replace(start, **chosen)


def check_groups(only: Sequence[str], available: Sequence[str] = GROUPS) -> None:
    """Check the names of groups. Those with a dot are functions of the user's own.

    Raises:
        UserError: if one is not available.
    """
    for group in only:
        if "." not in group:
            check_choice("--only", group, available)
