"""Adapt pages to the site: the home page is the README, and files outside docs/ are named instead of linked."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the README for the home page, with links relative to docs/, and every page without links out of docs/."""
    if page.file.src_uri == "index.md":
        markdown = (ROOT / "README.md").read_text().replace("](docs/", "](").replace("](CONTRIBUTING.md", "](../CONTRIBUTING.md")
        markdown = re.sub(r"\[docs/(\w+\.md)\]", r"[\1]", markdown)
    return re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"`\1`", markdown)
