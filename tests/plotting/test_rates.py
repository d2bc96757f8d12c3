"""Plots of the rate per latent."""

import pytest
import torch
from readable import assert_readable

from vae_lightning import plotting

TITLE = "Something about a model\nbeta_tcvae-mnist, β = 6, epoch 30"


def test_rate_per_latent_sorts_bars_and_marks_inactive_latents():
    rates, active = torch.tensor([0.5, 3.0, 0.0, 1.0]), torch.tensor([True, True, False, True])
    axes = plotting.rate_per_latent(rates, active, TITLE).axes[0]
    on, off = axes.containers
    assert [bar.get_height() for bar in on] == [3.0, 1.0, 0.5]
    assert [bar.get_x() + bar.get_width() / 2 for bar in off] == [3]
    assert [bar.get_hatch() for bar in off] == ["////"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["z₁", "z₃", "z₀", "z₂"]
    assert [label.get_color() for label in axes.get_xticklabels()] == ["black"] * 3 + ["0.6"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["active (3)", "inactive (1)"]


@pytest.mark.parametrize("d", [1, 2, 10, 32, 200])
def test_rate_plots_are_readable_for_few_and_many_latents(d):
    rates = torch.linspace(0, 5, d)
    assert_readable(plotting.rate_per_latent(rates, rates > 1, TITLE))
    assert_readable(plotting.rate_history({55_000 * e: (rates * e).tolist() for e in range(1, 31)}, TITLE))


def test_rate_history_has_one_row_per_latent_and_one_column_per_epoch():
    axes = plotting.rate_history({200: [3.0, 4.0, 5.0], 100: [0.0, 1.0, 2.0]}, TITLE).axes[0]
    mesh = axes.collections[0]
    assert mesh.get_array().tolist() == [[0, 3], [1, 4], [2, 5]]
    assert mesh.get_coordinates()[0, :, 0].tolist() == [0, 100, 200]
    assert mesh.get_clim() == (0, 5)
    assert axes.yaxis_inverted()  # z_1 at the top
    assert axes.get_yticklabels()[0].get_text() == "z₀"
