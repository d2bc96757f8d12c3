"""Types shared by all packages."""

from math import prod

Shape = tuple[int, int, int]  # channels, height, width
SPLITS = ("train", "val", "test")  # of every dataset
LatentShape = int | Shape  # a vector of D latents, or a map with C latents at each of h x w positions


def num_latents(shape: LatentShape) -> int:
    """Return the number of latents, D = C·h·w for a map."""
    return shape if isinstance(shape, int) else prod(shape)
