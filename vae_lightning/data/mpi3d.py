"""MPI3D (Gondal et al. 2019), read from its official files."""

from math import prod
from pathlib import Path
from typing import Any, ClassVar

from vae_lightning.data.factor_files import FactorFilesDataModule, FactorImages
from vae_lightning.data.factors import all_combinations
from vae_lightning.data.npz import array_shape, stream_rows
from vae_lightning.errors import check_choice

SIZES = ((6, 6, 2, 3, 3, 40, 40), (4, 4, 2, 3, 3, 40, 40))  # of the complete files, and of their first release
URL = "https://storage.googleapis.com/disentanglement_dataset/Final_Dataset/mpi3d_{variant}.npz"


class MPI3DDataModule(FactorFilesDataModule):
    """1,036,800 images of 3 x 64 x 64: a robot arm that holds an object, in every combination of seven factors.

    The labels are 6 colors of the object, 6 shapes, 2 sizes, 3 heights of the camera, 3 colors of the background, and
    40 positions on each of two axes, int64 (N, 7). The first release, which has 4 colors and 4 shapes, is read as well.

    Args:
        variant: `toy` and `realistic` for rendered images, `real` for photographs.
        **options: arguments of `FactorFilesDataModule`.

    Raises:
        UserError: if there is no such variant.
    """

    choice = "mpi3d"
    factor_names = (
        *("object_color", "object_shape", "object_size", "camera_height", "background_color"),
        *("horizontal_axis", "vertical_axis"),
    )
    defaults: ClassVar[dict[str, Any]] = {"image_shape": (3, 64, 64), "batch_size": 64}

    def __init__(self, *, variant: str = "toy", **options: Any) -> None:
        super().__init__(**options)
        self.variant = check_choice("data.variant", variant, ("toy", "realistic", "real"))
        self.urls = (URL.format(variant=variant),)

    def read(self, paths: list[Path]) -> FactorImages:
        """Read images, whose factors follow from their order: the last one varies fastest.

        Raises:
            ValueError: if the file has another number of images.
        """
        (path,) = paths
        n = array_shape(path, "images")[0]
        sizes = {prod(sizes): sizes for sizes in SIZES}.get(n)
        if sizes is None:
            raise ValueError(f"it has {n:,} images")
        return FactorImages(
            all_combinations(sizes), (rows.transpose(0, 3, 1, 2) for rows in stream_rows(path, "images"))
        )
