"""Groups of runs, their means and intervals, and the CSV files."""

import csv
import math

import pytest

from vae_lightning.report.collect import ReportedRun, find_runs
from vae_lightning.report.document import Mean
from vae_lightning.report.table import group_runs, half_width, run_rows, save_table, summary_rows, varying_options


def test_half_width_is_students():
    assert half_width([1.0, 3.0]) == pytest.approx(12.706205)  # t(0.975, 1) √2 / √2
    assert half_width([1.0, 2.0, 3.0, 4.0]) == pytest.approx(3.182446 * math.sqrt(5 / 3) / 2)
    assert math.isnan(half_width([1.0]))
    assert str(Mean(1.0, math.nan)) == "1.00"
    assert str(Mean(85.0, 0.25)) == "85.00 ± 0.25"


def test_varying_options_leaves_out_the_seed_and_redundant_options(sweep):
    runs = find_runs(sweep)
    assert varying_options(runs) == ["beta"]  # neither the seed, the data's copy of it, the name, nor the directory
    runs.append(ReportedRun(sweep, "x", options={**runs[0].options, "model": "VAE", "name": "vae-digits"}))
    assert varying_options(runs) == ["model", "beta"]


def test_varying_options_name_the_autoencoder_of_a_prior_only_once(sweep):
    options = [
        {"model": "LatentPrior", "prior_of": run, "autoencoder.latent_dim": dim, "autoencoder.beta": beta}
        for run, dim, beta in (("a", 2, 1), ("b", 2, 4), ("c", 10, 4))
    ]
    assert varying_options([ReportedRun(sweep, "x", options=option) for option in options]) == ["prior_of"]


def test_group_runs_joins_runs_that_differ_only_in_their_seed(sweep):
    runs = find_runs(sweep)
    groups = group_runs(runs, ["beta"])
    assert [(group.options, len(group.runs)) for group in groups] == [({"beta": 1}, 2), ({"beta": 4}, 2)]
    assert groups[1].mean("test/distortion") == 84.5
    assert groups[1].half_width("test/distortion") == pytest.approx(12.706205 / 2)
    row = summary_rows(groups, ["test/rate"])[0]
    assert row == {"beta": 1, "metric": "test/rate", "runs": 2, "mean": 10.0, "std": 0.0, "low": 10.0, "high": 10.0}
    assert summary_rows(groups, ["test/distortion"])[1]["std"] == pytest.approx(math.sqrt(0.5))  # of 84 and 85
    single = summary_rows(group_runs(groups[0].runs[:1], ["beta"]), ["test/rate"])[0]
    assert single == {"beta": 1, "metric": "test/rate", "runs": 1, "mean": 10.0, "std": None, "low": None, "high": None}


def test_run_rows_name_the_same_options_in_every_report(sweep):
    """The rows of two reports can be concatenated, although the model is the same in all of their runs."""
    runs = [run for run in find_runs(sweep) if run.state == "finished"]
    row = run_rows(runs, varying_options(runs))[0]
    assert list(row)[:7] == ["name", "model", "data", "latent_dim", "beta", "seed", "state"]
    assert [row[key] for key in ("name", "model", "data", "latent_dim", "seed")] == [
        "beta_vae-digits",
        "BetaVAE",
        "DigitsDataModule",
        2,
        0,
    ]


def test_save_table_writes_csv_with_and_without_rows(tmp_path):
    save_table([], tmp_path / "none.csv")
    save_table([{"a": 1, "b": None}, {"a": "x", "b": 2.5}], tmp_path / "some.csv")
    assert (tmp_path / "some.csv").read_text().splitlines() == ["a,b", "1,", "x,2.5"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_save_table_neutralizes_formulas_but_not_numbers(start, tmp_path):
    formula = f'{start}HYPERLINK("http://x","y")'
    save_table([{"name": formula, start: -1.5, "n": -3}], tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        header, row = csv.reader(file)
    assert header == ["name", f"'{start}", "n"]
    assert row == [f"'{formula}", "-1.5", "-3"]
