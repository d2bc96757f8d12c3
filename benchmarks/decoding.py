"""Time to draw images of 28 x 28 from a model, pixel by pixel or all at once.

    OMP_NUM_THREADS=1 python benchmarks/decoding.py --rounds 5

The weights are random, which does not change the time. The likelihoods take turns.
"""

import argparse
import time
from statistics import median

from rich.console import Console
from rich.table import Table

from vae_lightning.distributions import Autoregressive, Bernoulli, DiscretizedLogisticMixture
from vae_lightning.models import VAE

SHAPE = (1, 28, 28)
NUM_IMAGES = (1, 100, 1000)


def seconds(model: VAE, n: int) -> float:
    """Return the seconds that drawing n images takes."""
    start = time.perf_counter()
    model.sample(n)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="number of turns")
    args = parser.parse_args()
    likelihoods = {
        "bernoulli": Bernoulli(),
        "autoregressive, Bernoulli pixels": Autoregressive(pixels=Bernoulli(), image_shape=SHAPE),
        "autoregressive, mixtures of logistics": Autoregressive(pixels=DiscretizedLogisticMixture(), image_shape=SHAPE),
    }
    models = {name: VAE(image_shape=SHAPE, likelihood=likelihood).eval() for name, likelihood in likelihoods.items()}
    times = {(name, n): [] for name in models for n in NUM_IMAGES}
    for _ in range(args.rounds + 1):  # the first turn warms up
        for (name, n), measured in times.items():
            measured.append(seconds(models[name], n))
    table = Table("likelihood", *(f"{n:,} images" if n > 1 else "1 image" for n in NUM_IMAGES))
    for name in models:
        table.add_row(name, *(f"{median(times[name, n][1:]):.3f} s" for n in NUM_IMAGES))
    Console().print(table)


if __name__ == "__main__":
    main()
