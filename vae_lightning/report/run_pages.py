"""The page of a run: its figures, curves, configuration and log. All text is `visible`."""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from vae_lightning.errors import one_line
from vae_lightning.io.escaping import unique_slugs, visible
from vae_lightning.report.collect import ReportedRun
from vae_lightning.report.curves import Curve
from vae_lightning.runs.layout import CHANGES, CONFIG
from vae_lightning.runs.untrusted import check_regular_file, read_text

FIGURES = "figures"  # directory in a run
IMAGE_SUFFIXES = (".png", ".gif", ".webp", ".jpg")  # PDF and SVG files are written beside a PNG
MAX_POINTS = 500  # per curve
MAX_LOG = 200_000  # characters


def copy_figures(run: ReportedRun, folder: Path) -> list[dict[str, str]]:
    """Copy the figures of a run that have changed, and return the name and the file of each.

    Links that leave the run are ignored.
    """
    found = []
    for path in sorted((run.folder / FIGURES).glob("*")):
        with suppress(OSError, ValueError):
            check_regular_file(path, run.folder)
            if path.suffix.lower() in IMAGE_SUFFIXES:
                found.append(path)
    slugs = unique_slugs([path.stem for path in found])
    files = [f"{slug}{path.suffix.lower()}" for slug, path in zip(slugs, found, strict=True)]
    for path, file in zip(found, files, strict=True):
        copy_if_changed(path, folder / file)
    names = [visible(path.stem).replace("_", " ") for path in found]
    return [{"name": name, "file": file} for name, file in zip(names, files, strict=True)]


def copy_if_changed(source: Path, target: Path) -> None:
    """Copy a file with its time of modification, unless the target has the same size and time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = source.stat()
    if not target.exists() or (target.stat().st_size, target.stat().st_mtime_ns) != (new.st_size, new.st_mtime_ns):
        shutil.copy2(source, target)


def run_data(run: ReportedRun, section: str, figures: list[dict[str, str]], curves: Mapping[str, Curve]) -> str:
    """Return the script with a run's data, which the page of the run and comparisons load.

    It is a script, since a page that is opened as a file can load nothing else.
    """
    data = {
        "slug": run.slug,
        "name": run.name,
        "section": section,
        "metrics": run.metrics,
        "options": {key: str(value) for key, value in run.options.items()},
        "figures": figures,
        "curves": {tag: thin_out(curve) for tag, curve in curves.items()},
    }
    return f"addRun({json.dumps(data)});\n"


def thin_out(curve: Curve) -> list[list[float]]:
    """Return at most `MAX_POINTS` points of a curve, the last one among them, as lists of x and y."""
    stride = -(-len(curve) // MAX_POINTS) or 1
    points = list(curve.items())[::-stride][::-1]
    return [[x for x, _ in points], [float(f"{y:.6g}") for _, y in points]]


def configuration_text(run: ReportedRun) -> str:
    """Return `.hydra/config.yaml`."""
    return text_or_reason(run.folder / CONFIG, run.folder)


def log_text(run: ReportedRun) -> str:
    """Return the changes that were made when the run was resumed, and the end of its `*.log` files."""
    paths = [path for path in (run.folder / CHANGES, *sorted(run.folder.glob("*.log"))) if path.exists()]
    return "\n\n".join(f"{visible(path.name)}\n{text_or_reason(path, run.folder)[-MAX_LOG:]}" for path in paths)


def text_or_reason(path: Path, run_dir: Path) -> str:
    """Return the text of a file, or why it cannot be read."""
    try:
        return "\n".join(map(visible, read_text(path, run_dir).splitlines()))
    except (OSError, ValueError) as error:
        return visible(f"unreadable: {one_line(error)}")
