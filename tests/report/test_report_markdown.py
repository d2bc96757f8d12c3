"""Markdown shows text from runs literally, as parsed by markdown-it."""

import pytest
from markdown_it import MarkdownIt

from vae_lightning.report.document import Command, Heading, Image, Table, Text
from vae_lightning.report.markdown import render_markdown

TEXTS = [
    "a|b",
    "<script>alert(1)</script>",
    "**bold** *x* _y_ __z__ a_b",
    "`code` ``more``",
    "[text](http://x) ![image](y) [ref]",
    r"\| \\| \a C:\dir\*",
    "&lt; &amp; &#124;",
    "~~gone~~ run~2",
    "# heading #",
    "- item",
    "1|`|`2",
    "$x$ = 3",
]


def parse(text: str) -> list[tuple[str, str]]:
    """Return the kind and the plain text of each block; a cell is a block."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    blocks = []
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "fence":
            blocks.append(("fence", token.content))
        elif following is not None and following.type == "inline":
            leaves = [
                leaf for child in following.children for leaf in child.children or [child]
            ]  # an image has children
            assert {leaf.type for leaf in leaves} <= {"text", "text_special"}
            blocks.append((token.type, "".join(leaf.content for leaf in leaves)))
    return blocks


@pytest.mark.parametrize("text", TEXTS)
def test_markdown_shows_text_literally(text):
    blocks = [Heading(f"H {text}", 3), Text(f"T {text}"), Table([text, "b"], [[text, 1.5], [None, text]])]
    assert parse(render_markdown(f"Report on {text}", blocks)) == [
        ("heading_open", f"Report on {text}"),
        ("heading_open", f"H {text}"),
        ("paragraph_open", f"T {text}"),
        ("th_open", text),
        ("th_open", "b"),
        ("td_open", text),
        ("td_open", "1.50"),
        ("td_open", ""),
        ("td_open", text),
    ]


@pytest.mark.parametrize("text", [*TEXTS, "```\n# heading", "a ````` b"])
def test_markdown_command_cannot_end_its_code_block(text):
    assert parse(render_markdown("x", [Command(text)])) == [("heading_open", "x"), ("fence", f"{text}\n")]


def test_markdown_image_with_special_characters():
    (_, paragraph) = parse(render_markdown("x", [Image("file.png", "a ] *b*")]))
    assert paragraph == ("paragraph_open", "a ] *b*")
