"""Sections of a report: runs whose numbers can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from vae_lightning.io.escaping import unique_slugs
from vae_lightning.report.collect import ReportedRun, Value
from vae_lightning.report.table import Group, group_runs, varying_options

# The nelbo of the same images under another likelihood, or after binarizing them, is another quantity.
COMPARABLE = ("data", "data.image_shape", "data.binarize", "likelihood")
OF_THE_USER = ("ArrayDataModule", "ImageFolderDataModule")  # only their root tells which images they contain


@dataclass
class Section:
    """The finished runs on one dataset.

    Attributes:
        title: the dataset, and what distinguishes it from other sections with the same one.
        slug: the title in a form that suits a file name.
        runs: the runs, sorted by their settings.
        columns: the options that differ among them, except the seed.
        groups: the runs by setting.
    """

    title: str
    slug: str
    runs: list[ReportedRun]
    columns: list[str]
    groups: list[Group]


def split_into_sections(runs: Sequence[ReportedRun]) -> list[Section]:
    """Split the finished runs by dataset and likelihood, sorted by title."""
    by_key: dict[tuple[Value, ...], list[ReportedRun]] = {}
    for run in runs:
        if run.state == "finished":
            by_key.setdefault(comparison_key(run), []).append(run)
    titles = section_titles(list(by_key))
    slugs = unique_slugs(titles)
    sections = map(make_section, titles, slugs, by_key.values())
    return sorted(sections, key=lambda section: section.title)


def comparison_key(run: ReportedRun) -> tuple[Value, ...]:
    """Return the options that must be equal for the numbers of two runs to be comparable."""
    options = {key.removeprefix("autoencoder."): value for key, value in run.options.items()} | run.options
    root = options.get("data.root") if options.get("data") in OF_THE_USER else None
    return (*(options.get(key) for key in COMPARABLE), root)


def section_titles(keys: Sequence[tuple[Value, ...]]) -> list[str]:
    """Return the dataset of each key, with the values in which it differs from other keys of the same dataset."""
    titles = []
    for name, *rest in keys:
        siblings = [others for other, *others in keys if other == name]
        varying = [str(value) for i, value in enumerate(rest) if len({other[i] for other in siblings}) > 1]
        titles.append(", ".join([str(name).removesuffix("DataModule"), *varying]))
    return titles


def make_section(title: str, slug: str, runs: list[ReportedRun]) -> Section:
    """Group the runs of a section by setting."""
    columns = varying_options(runs)
    groups = group_runs(runs, columns)
    return Section(title, slug, [run for group in groups for run in group.runs], columns, groups)
