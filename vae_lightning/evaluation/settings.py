"""How much an evaluation asks for."""

from dataclasses import dataclass, fields, replace
from typing import Any

from vae_lightning.errors import UserError, one_of

SPLITS = ("train", "val", "test")
FEATURES = ("classifier", "inception")


@dataclass(frozen=True)
class Settings:
    """The sample counts of an evaluation; the defaults are those of the papers.

    Attributes:
        split: whose images are evaluated, `train`, `val` or `test`.
        images: at most so many of them, drawn at random.
        likelihood_images: at most so many of these for log p(x), which takes the most time.
        samples: K, the draws an image for log p(x).
        chunk: the draws of a pass: memory depends on it, values do not.
        test_images: the draws on either side of the two-sample test, whose kernel matrix is their square.
        permutations: of the two-sample test.
        repeats: R, of each disentanglement metric.
        factor_images: the images of each repeat, at most half of all.
        points: the training points or votes of the metrics of β-VAE and FactorVAE; half as many test.
        trees: of each forest of DCI.
        sample_images: at most so many reconstructions, samples and real images to hold them against.
        probe_images: at most so many training images teach the downstream readers.
        features: the network of FID and KID, `classifier` or `inception`.
        classifier_steps: the training steps of the classifier.
        seed: of every draw.
    """

    split: str = "test"
    images: int = 10_000
    likelihood_images: int = 10_000
    samples: int = 5_000
    chunk: int = 500
    test_images: int = 2_000
    permutations: int = 500
    repeats: int = 5
    factor_images: int = 10_000
    points: int = 10_000
    trees: int = 100
    sample_images: int = 10_000
    probe_images: int = 10_000
    features: str = "classifier"
    classifier_steps: int = 2_000
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("--split", self.split, SPLITS)
        one_of("--features", self.features, FEATURES)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and field.name != "seed" and value < 1:
                raise UserError(f"--{field.name.replace('_', '-')}={value}: type a number from 1 up")
        if self.seed < 0:
            raise UserError(f"--seed={self.seed}: type a number from 0 up")


QUICK = Settings(
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
)


def settings(quick: bool, **changes: Any) -> Settings:
    """The settings that `quick` says, but for the changes that are not None.

    A number of images that is asked for is also that of the likelihood and of the samples.

    Raises:
        UserError: when a value cannot be.
    """
    chosen = {name: value for name, value in changes.items() if value is not None}
    if "images" in chosen:
        chosen = {"likelihood_images": chosen["images"], "sample_images": chosen["images"], **chosen}
    return replace(QUICK if quick else Settings(), **chosen)
