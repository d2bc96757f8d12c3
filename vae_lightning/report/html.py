"""Rendering a report as a single HTML page that needs no network and no other file."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from vae_lightning.report.document import Block, Command, Heading, Image, Mean, Table, Text, format_cell

STYLE, SCRIPT = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))


def render_html(title: str, blocks: Sequence[Block]) -> str:
    """Return the report as an HTML page."""
    body = "\n".join(map(render_block, blocks))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{body}
<script>
{SCRIPT}</script>
</body>
</html>
"""


def render_block(block: Block) -> str:
    """Return one block as HTML."""
    match block:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Text(text):
            return f"<p>{escape(text)}</p>"
        case Command(text):
            return f"<pre>{escape(text)}</pre>"
        case Image(_, png, alt):
            data = base64.b64encode(png).decode()
            return f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}">'
        case Table(columns, rows):
            return render_table(columns, rows)


def render_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table as HTML. Clicking a column's name sorts by it."""
    numeric = [all(is_number(row[i]) for row in rows) for i in range(len(columns))]
    head = "".join(
        f"<th{' class=number' * is_numeric}><button>{escape(column)}</button></th>"
        for column, is_numeric in zip(columns, numeric, strict=True)
    )
    body = "\n".join(f"<tr>{''.join(map(render_cell, row))}</tr>" for row in rows)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def render_cell(value: Any) -> str:
    """Return a cell as HTML. A number carries its unrounded value, by which it is sorted."""
    if is_number(value):
        number = value.value if isinstance(value, Mean) else value
        return f'<td class="number" data-value="{number!r}">{escape(format_cell(value))}</td>'
    return f"<td>{escape(format_cell(value))}</td>"


def is_number(value: Any) -> bool:
    """Return whether a cell is a number or a mean."""
    return isinstance(value, int | float | Mean) and not isinstance(value, bool)
