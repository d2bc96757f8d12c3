"""Which names in a configuration are trusted."""

from pathlib import Path

import pytest

from vae_lightning.config.packages import DATA_PACKAGES, TRUSTED_PACKAGES, is_trusted


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("vae_lightning.models.VAE", True),
        ("vae_lightning.data.MNISTDataModule", True),
        ("vae_lightning.data.download.fetch", False),  # a function, which would write a file
        ("vae_lightning.data.download", False),
        ("vae_lightning.data.download.Path", False),  # an alias of a class that another package defines
        ("vae_lightning.models..VAE", False),
    ],
)
def test_only_classes_that_the_packages_define_are_trusted(target, expected):
    assert is_trusted(target, (*TRUSTED_PACKAGES, *DATA_PACKAGES), Path("config.yaml")) == expected
