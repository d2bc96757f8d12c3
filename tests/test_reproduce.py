"""The tables of benchmarks/reproduce.py."""

import json
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from PIL import Image
from report_runs import write_run

from vae_lightning.config.validation import validate_config

ROOT = Path(__file__).parents[1]
TABLES = sorted((ROOT / "benchmarks" / "tables").glob("*.yaml"))


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import tables

    yield tables
    del sys.modules["tables"]


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_is_a_valid_configuration_with_runs_of_its_own(tables, path):
    rows = tables.read_table(path)
    run_dirs = [run_dir for row in rows for run_dir in row.run_dirs]
    assert len({str(run_dir).lower() for run_dir in run_dirs}) == len(run_dirs)
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
also: {rate: test/rate}
overrides: seed=0
rows:
  - {name: "a, b", overrides: model=vae, published: 100, images: {picture: samples}, note: shorter}
  - {name: two seeds, overrides: model=vae, seeds: 2, published: 80}
  - {name: none, overrides: model=vae, published: 1.5}
"""


@pytest.fixture
def results(tables, tmp_path, monkeypatch):
    """Write a table, runs of its first two rows and a document. Return a function that updates and reads the latter."""
    monkeypatch.chdir(tmp_path)
    for name in ("TABLES", "IMAGES"):
        monkeypatch.setattr(tables, name, tmp_path / name)
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tables, "RESULTS", tmp_path / "results.md")
    monkeypatch.setattr(tables, "is_finished", lambda run_dir: (run_dir / "metrics.json").exists())
    (tables.TABLES / "1-t.yaml").write_text(TABLE)
    tables.RESULTS.write_text("before\n<!-- table 1-t -->\nold\n<!-- /table -->\nafter\n")
    for name, nelbo in {"a_b": -99.0, "two_seeds-0": -78.0, "two_seeds-1": -82.0}.items():
        run_dir = write_run(tables.RUNS / "1-t" / name, {"test/nelbo": nelbo, "test/rate": 0.25})
        (run_dir / "reproduce.json").write_text(json.dumps({"seconds": 5000, "commit": "abc"}))
        (run_dir / "metrics.csv").write_text("step,train/objective,val/objective\n10,99,100\n20,98,99\n")
        (run_dir / "figures").mkdir()
        Image.new("RGB", (3, 2), "red").save(run_dir / "figures" / "samples.png")
        path = run_dir / ".hydra" / "config.yaml"
        path.write_text(path.read_text().replace("trainer:\n", "trainer:\n  max_epochs: 7\n"))

    def update() -> str:
        tables.write_results()
        return tables.RESULTS.read_text()

    return update


def test_results_show_the_numbers_of_finished_rows_beside_the_published_ones(results, tables):
    lines = results().splitlines()
    assert [line for line in lines if "|" in line][2:] == [
        "| a, b | 100 | 99.00 | -1.0% | 0.250 | 7 | 1 h 23 min | abc |",
        "| two seeds | 80 | 80.00 ± 2.83 | +0.0% | 0.250 | 7 | 2 h 47 min | abc |",
        "| none | 1.5 | not run |  |  |  |  |  |",
    ]
    assert "a, b: shorter" in lines
    assert lines[0] == "before"
    assert lines[-1] == "after"
    with Image.open(tables.IMAGES / "picture.png") as picture:
        assert picture.convert("RGB").getpixel((2, 1)) == (255, 0, 0)
    with Image.open(tables.IMAGES / "1-t-curves.png") as picture:
        assert len(picture.getcolors()) > 10
    assert results() == results()


def test_a_row_is_not_finished_before_all_of_its_seeds(results, tables):
    (tables.RUNS / "1-t" / "two_seeds-1" / "metrics.json").unlink()
    assert "| two seeds | 80 | not run |" in results()
