"""Which figures a report draws, and the series in them."""

from pathlib import Path

import pytest

from vae_lightning.report.collect import ReportedRun
from vae_lightning.report.pictures import metrics_against_options, points
from vae_lightning.report.sections import split_into_sections
from vae_lightning.report.table import Group


def make_groups(*settings: dict) -> list[Group]:
    """Return the groups of runs with these options, each with seeds 0 and 1."""
    metrics = {"test/nelbo": 90.0, "test/distortion": 80.0, "test/rate": 10.0}
    options = [{"data": "Digits", "model": "VAE", **setting, "seed": seed} for setting in settings for seed in (0, 1)]
    runs = [ReportedRun(Path(), f"{i}", options=option, metrics=metrics) for i, option in enumerate(options)]
    return split_into_sections(runs)[0].groups


SEARCH = [{"gamma": 0.1, "beta": 3}, {"gamma": 0.2, "beta": 1}, {"gamma": 0.3, "beta": 1}]


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ([{"gamma": 0}, {"gamma": 3}], ["gamma"]),
        ([{"lr": lr, "latent_dim": dim} for lr in (0.1, 0.2) for dim in (2, 4)], ["latent_dim", "lr"]),
        (SEARCH, ["beta", "gamma"]),
        ([{"model": "BetaVAE", "beta": 1}, {"model": "BetaVAE", "beta": 4}, {"beta": None}], ["beta"]),
        ([{"model": "BetaVAE", "beta": 4}, {"model": "VQVAE", "beta": 0.25, "decay": 0.99}], []),
        ([{"network": n, "network.width": w} for n, w in (("MLP", 3), ("Conv", 3), ("ResNet", 4))], []),
        ([{"data.split_seed": 1}, {"data.split_seed": 2}], []),
        ([{"conditional": True}, {"conditional": False}], []),
        ([{"hidden_dims": "[3]"}, {"hidden_dims": "[4]"}], []),
        ([{**dict.fromkeys("abcdefg", 0), key: 1} for key in "abcdefg"], [*"abcde"]),
        ([{"../x": 1}, {"../x": 2}], ["x"]),
    ],
)
def test_metrics_are_plotted_against_each_option_that_was_varied(settings, keys):
    pictures = list(metrics_against_options(make_groups(*settings)))
    assert [picture.name for picture in pictures] == [f"against_{key}" for key in keys]


def test_a_series_varies_in_one_option_only():
    groups = make_groups(*({"gamma": gamma, "beta": beta} for gamma in (3, 0, 1) for beta in (4, 1)))
    series = points(groups, "gamma", "test/nelbo", along="gamma")
    assert {name: [point.x for point in line] for name, line in series.items()} == {
        "beta = 1": [0, 1, 3],
        "beta = 4": [0, 1, 3],
    }
    assert {point.note for line in series.values() for point in line} == {""}
    plane = points(groups, "test/rate", "test/distortion")
    assert list(plane) == ["gamma = 0", "gamma = 1", "gamma = 3"]
    assert [point.note for point in plane["gamma = 1"]] == ["β = 1", "β = 4"]


def test_figures_name_options_by_their_symbols():
    for key, name in {"gamma": "\N{GREEK SMALL LETTER GAMMA}", "latent_dim": "latent dimension", "a$b": "a$b"}.items():
        (picture,) = metrics_against_options(make_groups({key: 1}, {key: 2}))
        assert picture.title == f"Metrics against {name}"
        assert picture.figure.axes[0].get_xlabel() == name.replace("$", r"\$")
