"""The tables of benchmarks/reproduce.py."""

import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image
from report_runs import write_run

from vae_lightning.config.validation import validate_config
from vae_lightning.report.curves import read_curves

ROOT = Path(__file__).parents[1]
TABLES = sorted((ROOT / "benchmarks" / "tables").glob("*.yaml"))


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import tables

    yield tables
    for name in ("tables", "records", "reproduce"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_is_a_valid_configuration_with_runs_of_its_own(tables, path):
    rows = tables.read_table(path)
    names = [name.lower() for row in rows for name in row.run_names]
    assert len(set(names)) == len(names)
    for row in rows:
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            overrides = row.overrides_with(DATA="data", FACES="data")
            validate_config(compose("train", [*overrides, "name=row", "run_dir=run"]))


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_table_is_in_the_results(path):
    text = (ROOT / "docs" / "results.md").read_text()
    assert text.count(f"<!-- table {path.stem} -->\n") == 1


TABLE = """
column: ours
metric: -test/nelbo
curves: Tests
against: {x_label: beta, y_label: nelbo, title: Tests}
also: {rate: test/rate}
overrides: seed=0
rows:
  - {name: "a, b", overrides: model=vae, published: 100, images: {picture: samples}, note: shorter, points: {VAE: 4}}
  - {name: two seeds, overrides: model=vae, seeds: 2, published: 80, points: {VAE: 1, AE: 2}}
  - {name: none, overrides: model=vae, published: 1.5, points: {VAE: 2}}
"""


@pytest.fixture
def results(tables, tmp_path, monkeypatch):
    """Write a table, records of two rows and a document. Return a function that updates and reads the document."""
    from records import write_record

    monkeypatch.chdir(tmp_path)
    for name in ("TABLES", "IMAGES", "RECORDS"):
        monkeypatch.setattr(tables, name, tmp_path / name)
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tables, "RESULTS", tmp_path / "results.md")
    (tables.TABLES / "1-t.yaml").write_text(TABLE)
    tables.RESULTS.write_text("before\n<!-- table 1-t -->\nold\n<!-- /table -->\nafter\n")
    one, two, _ = tables.read_table(tables.TABLES / "1-t.yaml")
    for row, seed, nelbo in ((one, 0, -99.0), (two, 0, -78.0), (two, 1, -82.0)):
        run_dir = write_run(
            tables.RUNS / row.run_names[seed], {"test/nelbo": nelbo, "test/rate": 0.25, "test/other": 1}
        )
        (run_dir / "metrics.csv").write_text("step,train/objective,val/objective\n10,99,100\n20,98,99\n")
        (run_dir / "figures").mkdir()
        Image.new("RGB", (3, 2), "red").save(run_dir / "figures" / "samples.png")
        made = {"seconds": 5000, "commit": "abc", "epochs": 7, **row.settings(seed)}
        write_record(tables.RECORDS / row.run_names[seed], run_dir, ["test/nelbo", "test/rate"], made)

    def update() -> str:
        tables.write_results()
        return tables.RESULTS.read_text()

    return update


def test_results_show_the_numbers_of_finished_rows_beside_the_published_ones(results, tables):
    lines = results().splitlines()
    assert [line for line in lines if "|" in line][2:] == [
        "| a, b | 100 | 99.00 | -1.0% | 0.250 | 1 | 7 | 1 h 23 min | abc |",
        "| two seeds | 80 | 80.00 ± 2.83 | +0.0% | 0.250 | 2 | 7 | 1 h 23 min | abc |",
        "| none | 1.5 | not run |  |  |  |  |  |  |",
    ]
    assert "a, b: shorter" in lines
    assert lines[0] == "before"
    assert lines[-1] == "after"
    with Image.open(tables.IMAGES / "1-t-curves.png") as picture:
        assert len(picture.getcolors()) > 10
    assert results() == results()


def test_the_metric_is_drawn_with_its_deviation_over_seeds_against_the_points_of_the_rows(results, tables, monkeypatch):
    drawn = []
    draw = tables.trade_off
    monkeypatch.setattr(tables, "trade_off", lambda series, **labels: drawn.append(series) or draw(series, **labels))
    results()
    (two, one), other = drawn[0]["VAE"], drawn[0]["AE"]
    assert (two.x, two.y, two.dy) == (1, 80, pytest.approx(8**0.5))
    assert (one.x, one.y) == (4, 99)
    assert math.isnan(one.dy)  # one run has no deviation
    assert other == [two._replace(x=2)]
    assert (tables.IMAGES / "1-t-against.png").is_file()


def test_the_mean_is_that_of_the_runs_that_have_finished(results, tables):
    (tables.RECORDS / "1-t" / "two_seeds-1" / "record.json").unlink()
    assert "| two seeds | 80 | 78.00 | -2.5% | 0.250 | 1 | 7 | 1 h 23 min | abc |" in results()


def test_the_results_need_only_the_records(results, tables):
    before = results()
    shutil.rmtree(tables.RUNS)
    assert results() == before


def test_a_figure_is_kept_where_a_record_has_no_curves(results, tables):
    results()
    (tables.RECORDS / "1-t" / "a_b" / "metrics.csv").unlink()
    figure = tables.IMAGES / "1-t-curves.png"
    figure.write_bytes(b"drawn elsewhere")
    results()
    assert figure.read_bytes() == b"drawn elsewhere"


def test_figures_of_the_first_run_are_copied(results, tables):
    row, *_ = tables.read_table(tables.TABLES / "1-t.yaml")
    tables.copy_images(row)
    with Image.open(tables.IMAGES / "picture.png") as picture:
        assert picture.convert("RGB").getpixel((2, 1)) == (255, 0, 0)


def test_a_record_has_the_columns_standard_errors_and_thinned_curves(tables, tmp_path):
    from records import MAX_POINTS, TAGS, read_record, write_record

    run_dir = write_run(tmp_path / "run", {"test/nelbo": 9.5, "test/nelbo_se": 0.5, "test/rate": 1.0})
    lines = [f"{step},{step / 7},{step + 1 if step % 2 else ''}\n" for step in range(1000)]
    (run_dir / "metrics.csv").write_text("step,train/objective,val/objective\n" + "".join(lines))
    write_record(tmp_path / "record", run_dir, ["test/nelbo", "samples/fid"], {"seed": 3})
    assert read_record(tmp_path / "record") == {"metrics": {"test/nelbo": 9.5, "test/nelbo_se": 0.5}, "seed": 3}
    curves = read_curves(tmp_path / "record", TAGS)
    steps = list(curves["train/objective"])
    assert (len(steps), steps[0], steps[-1]) == (MAX_POINTS, 0, 999)
    assert curves["train/objective"][999] == pytest.approx(999 / 7, rel=1e-5)
    assert curves["val/objective"] == {step: step + 1 for step in steps if step % 2}


def test_a_record_of_other_settings_is_not_shown(results, tables):
    row, _, other = tables.read_table(tables.TABLES / "1-t.yaml")
    assert row.record(0)["epochs"] == 7
    assert other.record(0) is None
    for change in ({"overrides": [*row.overrides, "model.beta=2"]}, {"evaluate": ["--quick"]}):
        assert replace(row, **change).record(0) is None
    path = tables.TABLES / "1-t.yaml"
    path.write_text(path.read_text().replace("overrides: seed=0", "overrides: seed=1"))
    assert results().count("not run") == 3
