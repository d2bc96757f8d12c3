"""The examples in the docstrings of the metrics."""

import doctest
import importlib
import pkgutil

import pytest

from vae_lightning import metrics

MODULES = [module.name for module in pkgutil.walk_packages(metrics.__path__, "vae_lightning.metrics.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
