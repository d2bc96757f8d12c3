"""The common style of figures."""

import gc
import sys
import tracemalloc

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb

from vae_lightning import plotting
from vae_lightning.plotting import style

TITLE = "Something about a model\nbeta_tcvae-mnist, β = 6, epoch 30"


def test_class_colors_are_distinct():
    """The palette has ten colors; more come from a colormap."""
    palette = style.styled(style.class_colors)(10)
    assert len(np.unique(palette, axis=0)) == 10
    assert palette[0] == pytest.approx(to_rgb("#3f90da"))
    assert len(np.unique(style.class_colors(40), axis=0)) == 40


def test_figures_are_freed():
    """Nothing keeps a reference to a figure, and pyplot does not know it. Tested with a hundred figures."""
    rates, rows = torch.rand(4), torch.rand(2, 2, 1, 4, 4)

    def draw(n: int) -> None:
        for _ in range(n):
            plotting.image_grid(rows, TITLE)
            plotting.rate_per_latent(rates, rates > 0.5, TITLE)

    def leaked_bytes() -> int:
        tracemalloc.start()
        draw(50)
        gc.collect()
        leaked, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return leaked

    draw(10)
    # A single figure takes more than half of the limit. A leak grows each time, but a cache is filled only once.
    assert min(leaked_bytes(), leaked_bytes()) < 200_000
    assert "matplotlib.pyplot" not in sys.modules or not matplotlib.pyplot.get_fignums()


def test_style_does_not_change_global_parameters():
    before = matplotlib.rcParams["font.size"]
    plotting.image_grid(torch.rand(1, 1, 1, 2, 2), TITLE)
    assert matplotlib.rcParams["font.size"] == before == 10
