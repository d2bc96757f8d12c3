"""Escaping of text from runs."""

import pytest

from vae_lightning.io.escaping import escape_mathtext, escape_spreadsheet, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\tb\r\n", r"a\tb\r\n"),
        ("\x00\x07\x7f\x9b", r"\x00\x07\x7f\x9b"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("\u2028\ufeff", r"\u2028\ufeff"),
        ("\udcff", r"\udcff"),  # a file name that is not UTF-8
        ("β = 4, 名前 é", "β = 4, 名前 é"),
    ],
)
def test_visible_replaces_invisible_characters(text, shown):
    assert visible(text) == shown


def test_escape_spreadsheet_changes_only_text_that_starts_a_formula():
    assert escape_spreadsheet("=1+1") == "'=1+1"
    assert [escape_spreadsheet(value) for value in (-1, -1.5, None, True, "a=1", "")] == [
        -1,
        -1.5,
        None,
        True,
        "a=1",
        "",
    ]


def test_escape_mathtext():
    assert escape_mathtext("a$b$") == r"a\$b\$"
