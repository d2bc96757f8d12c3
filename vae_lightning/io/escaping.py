"""Escaping of text from runs, which may come from somebody else, for each format that a report is written in.

A run's directory name, overrides, failure and metric names are arbitrary text. In a report they are only ever shown.
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import count
from typing import Any

# Control characters, invisible format characters such as bidirectional overrides, surrogates of undecodable file
# names, line and paragraph separators. A terminal may execute the first, and a reader cannot see the others.
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")


def visible(text: str) -> str:
    r"""Replace control and other invisible characters by their escape sequences, such as `\x1b` or `\n`."""
    return "".join(
        character.encode("unicode_escape").decode() if unicodedata.category(character) in INVISIBLE else character
        for character in text
    )


def escape_markdown(text: str) -> str:
    """Escape text so that Markdown shows it literally, also in a table cell.

    Underscores inside a word, as in `beta_vae`, have no meaning in Markdown and stay readable.
    """
    return re.sub(r"[\\`*\[\]<>|~&$#]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


def markdown_code_block(text: str) -> str:
    """Return a code block. Its fence is longer than any run of backticks in the text, so the text cannot end it."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def escape_spreadsheet(value: Any) -> Any:
    """Prefix text that a spreadsheet would run as a formula with an apostrophe. Numbers are returned unchanged."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_START) else value


def escape_mathtext(text: str) -> str:
    r"""Escape dollar signs, since Matplotlib parses `$...$` as a formula and raises if it is not one."""
    return text.replace("$", r"\$")


def unique_slugs(names: Sequence[str]) -> list[str]:
    """Return a file name of letters, digits, `.`, `_` and `-` for each name, all different in any case."""
    slugs: dict[str, str] = {}
    for name in names:
        base = re.sub(r"[^A-Za-z0-9_.]+", "-", name)[-80:].strip("-.") or "run"
        candidates = (f"{base}--{n}" if n > 1 else base for n in count(1))
        slug = next(candidate for candidate in candidates if candidate.lower() not in slugs)
        slugs[slug.lower()] = slug
    return list(slugs.values())
