"""Tests of the structure that docs/architecture.md describes."""

import importlib.util
import subprocess
import sys

import pytest
from conftest import ROOT

PACKAGE = ROOT / "vae_lightning"


def test_import_diagram_is_up_to_date():
    spec = importlib.util.spec_from_file_location("draw_imports", ROOT / "docs" / "draw_imports.py")
    draw_imports = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw_imports)
    assert draw_imports.drawing() in draw_imports.PAGE.read_text(), "run make imports"


def test_top_level_modules():
    modules = {file.stem for file in PACKAGE.glob("*.py")} - {"__init__"}
    assert modules == {"__main__", "errors", "pixels", "rng", "types"}


def test_every_package_is_documented():
    page = (ROOT / "docs" / "architecture.md").read_text()
    packages = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()]
    assert packages
    assert [name for name in packages if f"`{name}/`" not in page] == []


@pytest.mark.parametrize(
    "module", ["config.error_reporting", "config.validation", "sweeps.hydra_callback", "cli.train", "io.image_decoding"]
)
def test_module_does_not_import_torch(module):
    code = f"import vae_lightning.{module}, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
