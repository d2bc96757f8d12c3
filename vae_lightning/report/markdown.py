"""A report as Markdown, with its PNG files beside it."""

from collections.abc import Sequence

from vae_lightning.report.document import Block, Command, Heading, Image, Table, Text, cell


def markdown(title: str, blocks: Sequence[Block]) -> str:
    """The text."""
    return "\n\n".join([f"# {title}", *map(block_markdown, blocks)]) + "\n"


def block_markdown(block: Block) -> str:
    """One block."""
    match block:
        case Heading(text):
            return f"## {text}"
        case Text(text):
            return text
        case Command(text):
            return f"```\n{text}\n```"
        case Image(file, _, alt):
            return f"![{alt}]({file})"
        case Table(columns, rows):
            lines = [columns, ["---"] * len(columns), *([cell(value) for value in row] for row in rows)]
            return "\n".join(f"| {' | '.join(value.replace('|', '&#124;') for value in line)} |" for line in lines)
