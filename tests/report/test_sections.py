"""Sections, columns and rows of a report."""

from pathlib import Path

from vae_lightning.io.escaping import unique_slugs
from vae_lightning.report.collect import ReportedRun
from vae_lightning.report.columns import constant_options, section_columns, short_titles
from vae_lightning.report.sections import split_into_sections
from vae_lightning.report.view import view_section


def make_run(name: str, nelbo: float | None = None, **options) -> ReportedRun:
    metrics = {} if nelbo is None else {"test/nelbo": nelbo, "test/distortion": nelbo - 5, "test/rate": 5.0}
    defaults = {"data": "DigitsDataModule", "likelihood": "Bernoulli", "model": "VAE", "seed": 0, "latent_dim": 2}
    return ReportedRun(Path(name), name, name, options={**defaults, **options}, metrics=metrics)


def test_sections_hold_runs_whose_nelbo_is_the_same_quantity():
    runs = [
        make_run("a"),
        make_run("b", likelihood="Gaussian"),
        make_run("c", data="MNISTDataModule"),
        make_run("d", **{"model": "LatentPrior", "likelihood": None, "autoencoder.likelihood": "Bernoulli"}),
        ReportedRun(Path("e"), "e", "e", state="failed"),
    ]
    del runs[3].options["likelihood"]
    sections = split_into_sections(runs)
    names = {section.title: [run.name for run in section.runs] for section in sections}
    assert {title: sorted(members) for title, members in names.items()} == {
        "Digits, Bernoulli": ["a", "d"],
        "Digits, Gaussian": ["b"],
        "MNIST": ["c"],
    }
    assert [section.slug for section in sections] == ["Digits-Bernoulli", "Digits-Gaussian", "MNIST"]


def test_folders_of_images_are_data_sets_of_their_own():
    for name in ("Array", "ImageFolder"):
        runs = [make_run(root, data=f"{name}DataModule", **{"data.root": root}) for root in ("cats", "dogs")]
        assert [section.title for section in split_into_sections(runs)] == [f"{name}, cats", f"{name}, dogs"]


def test_options_that_follow_from_the_model_are_hidden_and_constant_ones_are_no_columns():
    models = (("VAE", None, 1), ("VAE", None, 2), ("DIPVAE", 10, 1), ("DIPVAE", 10, 2))
    runs = [make_run(f"{i}", 90.0, model=m, lambda_od=od, lr=lr) for i, (m, od, lr) in enumerate(models)]
    runs[0].metrics["samples/fid"] = 3.0
    runs[0].metrics["samples/fid_std"] = 3.0
    runs[0].metrics["samples/kid"] = 3.0
    runs[0].metrics["test/l1"] = 3.0
    (section,) = split_into_sections(runs)
    columns = {column.key: column.shown for column in section_columns(section)}
    assert columns == {
        **{"test/nelbo": True, "test/distortion": True, "test/rate": True},
        **{"model": True, "lr": True, "lambda_od": False, "samples/fid": True, "samples/kid": False},
        "test/l1": False,
    }
    assert list(columns)[:3] == ["test/nelbo", "test/distortion", "test/rate"]
    assert constant_options(section) == {
        "data": "DigitsDataModule",
        "likelihood": "Bernoulli",
        "seed": "0",
        "latent_dim": "2",
    }


def test_best_values_are_marked_unless_all_are_equal():
    runs = [make_run("a", 100.0), make_run("b", 90.0, latent_dim=4), make_run("c", None, model="AE")]
    (section,) = split_into_sections(runs)
    view = view_section(section, [])
    marked = {row.name: [cell.text for cell in row.cells if cell.is_best] for row in view.runs}
    assert marked == {"a": [], "b": ["90.00", "85.00"], "c": []}
    view = view_section(split_into_sections([runs[0], make_run("d", 100.0, latent_dim=4)])[0], [])
    assert not any(cell.is_best for row in [*view.runs, *view.settings] for cell in row.cells)


def test_short_titles_name_the_group_of_a_second_column():
    assert short_titles(["test/nelbo", "beta", "likelihood/nelbo"]) == ["nelbo", "beta", "likelihood/nelbo"]
    assert short_titles(["samples/fid", "fid"]) == ["fid", "fid"]


def test_slugs_are_file_names_that_differ_in_any_case():
    names = ["a/b", "a-b", "A b", "../x", "名前", "", "x" * 300, "beta=1,seed=2"]
    slugs = unique_slugs(names)
    assert slugs[:6] == ["a-b", "a-b--2", "A-b--3", "x", "run", "run--2"]
    assert slugs[7] == "beta-1-seed-2"
    assert len({slug.lower() for slug in slugs}) == len(names)
    assert max(map(len, slugs)) <= 80
