"""Rendering a report as Markdown, with its PNG files next to it."""

from collections.abc import Sequence
from typing import Any

from vae_lightning.io.escaping import escape_markdown, markdown_code_block
from vae_lightning.report.document import Block, Command, Heading, Image, Table, Text, format_cell


def render_markdown(title: str, blocks: Sequence[Block]) -> str:
    """Return the report as Markdown."""
    return "\n\n".join([f"# {escape_markdown(title)}", *map(render_block, blocks)]) + "\n"


def render_block(block: Block) -> str:
    """Return one block as Markdown."""
    match block:
        case Heading(text, level):
            return f"{'#' * level} {escape_markdown(text)}"
        case Text(text):
            return escape_markdown(text)
        case Command(text):
            return markdown_code_block(text)
        case Image(file, alt):
            return f"![{escape_markdown(alt)}]({file})"
        case Table(columns, rows):
            return "\n".join([render_row(columns), f"|{' --- |' * len(columns)}", *map(render_row, rows)])


def render_row(cells: Sequence[Any]) -> str:
    """Return one row of a table as Markdown."""
    return f"| {' | '.join(escape_markdown(format_cell(cell)) for cell in cells)} |"
