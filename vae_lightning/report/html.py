"""A report as one HTML page that needs nothing else: no network, no other file."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from vae_lightning.report.document import Block, Command, Heading, Image, Mean, Table, Text, cell

STYLE, SCRIPT = (Path(__file__).with_name(name).read_text() for name in ("page.css", "page.js"))


def html(title: str, blocks: Sequence[Block]) -> str:
    """The page."""
    body = "\n".join(block_html(block) for block in blocks)
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


def block_html(block: Block) -> str:
    """One block."""
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
            return table_html(columns, rows)


def table_html(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table that is sorted by a click on a column's name."""
    numeric = [all(is_number(row[i]) for row in rows) for i in range(len(columns))]
    head = "".join(
        f"<th{' class=number' * right}><button>{escape(column)}</button></th>"
        for column, right in zip(columns, numeric, strict=True)
    )
    body = "\n".join(f"<tr>{''.join(map(cell_html, row))}</tr>" for row in rows)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def cell_html(value: Any) -> str:
    """A cell; a number carries its full value, by which it is sorted."""
    if is_number(value):
        number = value.value if isinstance(value, Mean) else value
        return f'<td class="number" data-value="{number!r}">{escape(cell(value))}</td>'
    return f"<td>{escape(cell(value))}</td>"


def is_number(value: Any) -> bool:
    """Whether a cell is a number or a mean of some."""
    return isinstance(value, int | float | Mean) and not isinstance(value, bool)
