"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table and a blank one."""
    lines = [_line(head), _line(["---"] * len(head))]
    return [*lines, *(_line(row) for row in rows), ""]


def code(text: str) -> str:
    """Return a text as code, nothing for an empty one."""
    return f"`{text}`" if text else ""


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
