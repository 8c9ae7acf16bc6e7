"""Small pieces of HTML with every text escaped, as notebooks show objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def paragraph(text: str, strong: bool = False) -> str:
    """Return a paragraph."""
    inner = escape(text)
    return f"<p><b>{inner}</b></p>" if strong else f"<p>{inner}</p>"


def table(caption: str, heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column heads its rows.

    Parameters
    ----------
    caption : str
        What it shows.
    heads : sequence of str
        Column heads.
    lines : iterable of sequence of str
        The body.
    """
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(one)}</td>" for one in rest)
        + "</tr>"
        for first, *rest in lines
    )
    said = f"<caption>{escape(caption)}</caption>"
    return f"<table>{said}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
