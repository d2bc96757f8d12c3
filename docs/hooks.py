"""Adapt pages to the site: the home page is the README, and files outside of docs/ are named instead of linked."""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the README for the home page, and every page without links to files outside of docs/."""
    if page.file.src_uri == "index.md":
        return LINK.sub(link_from_readme, (ROOT / "README.md").read_text())
    return re.sub(r"\[([^\]]+)\]\(\.\./[^)]*\)", r"\1", markdown)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Point the links of a notebook to pages of the site; those of other pages have been converted already."""
    if page.file.src_uri.endswith(".ipynb"):
        return re.sub(r'href="([\w./]+)\.(md|ipynb)"', r'href="\1.html"', html)
    return html


def link_from_readme(match: re.Match[str]) -> str:
    """Make a link of the README relative to docs/, or name its target if that lies elsewhere."""
    text, target = match.groups()
    if target.startswith("docs/"):
        return f"[{text.removeprefix('docs/')}]({target.removeprefix('docs/')})"
    return match[0] if target.startswith(("http", "#")) else f"`{text}`"
