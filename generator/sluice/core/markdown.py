"""Texts of others inside Markdown: shown as they are, never obeyed."""

import re
from collections.abc import Sequence

from sluice.core.outgoing import one_line


def code(text: object, longest: int = 200) -> str:
    """An inline code span that holds exactly this text, on one line and also inside a table."""
    plain = one_line(str(text))
    plain = plain if len(plain) <= longest else plain[: longest - 1] + "…"
    if not plain:
        return ""
    runs = [len(run) for run in re.findall("`+", plain)]
    fence = "`" * (max(runs, default=0) + 1)
    pad = " " if plain[0] == "`" or plain[-1] == "`" else ""
    # A bar ends a cell even inside code; forges undo this escape in tables only, so it is replaced.
    return f"{fence}{pad}{plain.replace('|', '¦')}{pad}{fence}"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table; cells are Markdown already."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fenced(text: str, language: str = "") -> str:
    """A code block that holds exactly this text."""
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * max(3, max(runs, default=0) + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
