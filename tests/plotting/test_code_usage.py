"""Tests of the plot of the use of codes."""

import pytest
import torch
from readable import assert_readable

from vae_lightning import plotting

TITLE = "Use of the codes\nvq_vae-mnist, β = 0.25, epoch 30"


def test_code_usage_sorts_shares_and_names_the_perplexity():
    axes = plotting.code_usage(torch.tensor([0, 4, 0, 4]), TITLE).axes[0]
    (stairs,) = axes.patches
    assert stairs.get_data().values.tolist() == [50, 50, 0, 0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["2 of 4 codes in use, perplexity 2.0", "uniform use"]
    assert axes.lines[0].get_ydata()[0] == 25


@pytest.mark.parametrize("k", [2, 64, 16_384])
def test_code_usage_is_readable_for_few_and_many_codes(k):
    counts = torch.randint(0, 100, (k,), generator=torch.Generator().manual_seed(0))
    assert_readable(plotting.code_usage(counts, TITLE))
