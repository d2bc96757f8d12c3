"""Training curves."""

import pytest
from readable import assert_readable

from vae_lightning import plotting
from vae_lightning.plotting.curves import best_epoch, warmup_spans

TITLE = "Something about a model\nbeta_tcvae-mnist, β = 6, epoch 30"


def epochs(n: int, warmup: int = 0) -> dict[int, dict[str, float]]:
    return {
        1000 * e: {
            "nelbo": 200 / e + 2 * e,
            "objective": 200 / e + 2 * e,
            "distortion": 200 / e,
            "rate": 2.0 * e,
            "recon_kl_ratio": 100 / e**2,
            "warmup": min(1, e / (warmup or 1)),
        }
        for e in range(1, n + 1)
    }


def test_training_curves_plots_metrics_against_images_seen():
    train, val = epochs(3), {2000: {"rate": 7.0, "distortion": 110.0}}
    figure = plotting.training_curves(train, val, TITLE)
    nelbo, distortion, rate, ratio = figure.axes
    assert all(axes.get_xscale() == "log" for axes in figure.axes)
    assert nelbo.lines[0].get_xydata().tolist() == [[1000, 202], [2000, 104], [3000, pytest.approx(72.67, abs=0.01)]]
    assert rate.lines[0].get_xydata().tolist() == [[1000, 2], [2000, 4], [3000, 6]]
    assert rate.lines[1].get_xydata().tolist() == [[2000, 7]]
    assert len(ratio.lines) == 1
    assert [axes.get_ylabel() for axes in figure.axes] == ["nats per image"] * 3 + ["dimensionless"]
    assert [text.get_text() for text in distortion.get_legend().get_texts()] == ["train", "val"]
    assert nelbo.get_legend() is None
    assert_readable(figure)


def test_training_curves_marks_the_epoch_with_the_lowest_validation_objective():
    """The training objective is lowest after ten epochs, that of the validation after two."""
    train = epochs(20)
    assert best_epoch(train, {}) == 10_000
    assert best_epoch(train, {1000: {"objective": 3.0}, 2000: {"objective": 2.0}, 3000: {"objective": 2.5}}) == 2000
    assert best_epoch(train, {1000: {}}) is None
    figure = plotting.training_curves(train, {}, TITLE)
    for axes in figure.axes:
        assert list(axes.lines[-1].get_xdata()) == [10_000, 10_000]
    assert_readable(figure)


def test_training_curves_of_an_autoencoder_has_one_panel():
    train = {x: {"distortion": metrics["distortion"]} for x, metrics in epochs(4).items()}
    figure = plotting.training_curves(train, {}, TITLE)
    assert [axes.get_title() for axes in figure.axes] == ["distortion"]
    assert_readable(figure)


def test_training_curves_shades_warmup():
    """With a linear warm-up over ten epochs, the factor is 1 in the tenth."""
    assert list(warmup_spans(epochs(30, warmup=10))) == [(0, 9000)]
    figure = plotting.training_curves(epochs(30, warmup=10), {}, TITLE)
    for axes in figure.axes:
        assert [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches] == [(1000, 9000)]
    assert not plotting.training_curves(epochs(3), {}, TITLE).axes[0].patches


def test_training_curves_show_a_single_epoch_of_warmup():
    """The axis is logarithmic, so nothing can begin at 0."""
    for axes in plotting.training_curves({55_000: epochs(1, warmup=10)[1000]}, {}, TITLE).axes:
        (low, high), (x,) = axes.get_xlim(), axes.lines[0].get_xdata()
        assert 0 < low < x < high


def test_warmup_spans_yields_each_cycle_and_an_unfinished_warmup():
    factors = [0.5, 1, 0.5, 0.9]
    assert list(warmup_spans({10 * e: {"warmup": w} for e, w in enumerate(factors, 1)})) == [(0, 10), (20, 40)]


@pytest.mark.parametrize("n", [1, 300])
def test_training_curves_is_readable_for_few_and_many_epochs(n):
    train = {55_000 * e: metrics for e, metrics in enumerate(epochs(n).values(), 1)}
    assert_readable(plotting.training_curves(train, train, TITLE))
