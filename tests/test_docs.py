"""The notebooks run, and the documentation site is complete."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_figures(path, tmp_path):
    """The models are trained for two epochs only."""
    notebook = nbformat.read(path, as_version=4)
    assert any("max_epochs=" in cell.source for cell in notebook.cells)
    for cell in notebook.cells:
        cell.source = re.sub(r"max_epochs=\d+", "max_epochs=2", cell.source)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # outputs are not committed
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_a_notebook_lead_somewhere(path):
    """mkdocs checks those of the other pages."""
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("http")]
    assert all((path.parent / target).is_file() for target in targets), targets


def test_every_page_is_in_the_navigation_once():
    pages = sorted(leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    docs = ROOT / "docs"
    files = sorted(str(path.relative_to(docs)) for path in docs.rglob("*") if path.suffix in (".md", ".ipynb"))
    assert pages == files


def leaves(nav) -> list[str]:
    """Return the paths in a navigation tree."""
    if isinstance(nav, str):
        return [nav]
    return [leaf for item in (nav.values() if isinstance(nav, dict) else nav) for leaf in leaves(item)]
