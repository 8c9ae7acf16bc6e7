"""Tables on a terminal, laid out to its width so that no digit is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_FRAME = 3
"""Characters a column takes beside its text: a blank on either side and a line."""

_NARROWEST = 4


def print_sheet(
    title: str,
    heads: Sequence[str],
    lines: Sequence[Sequence[object]],
    console: Console,
    keys: int = 1,
    words: Sequence[str] = (),
) -> None:
    """Print a table as wide as the console allows, what does not fit beneath it.

    Columns that do not fit are continued in another table under the first, in which the
    leading `keys` columns are repeated. A column headed by ± stays with the one before. Only
    a text wider than what the keys leave of the console is broken, onto more lines.

    Parameters
    ----------
    title : str
        Printed above.
    heads : sequence of str
        Column heads.
    lines : sequence of sequences
        Cells, each printed as it is: no text is markup.
    console : Console
        Where to.
    keys : int
        How many leading columns say what a line is of.
    words : sequence of str, optional
        Heads of columns of words, which begin at the left; numbers end at the right.
    """
    texts = [[str(cell) for cell in line] for line in lines]
    wanted = [max(map(cell_len, column)) for column in zip(heads, *texts, strict=True)]
    console.print(Text(title, style="italic"))
    widths = _allowed(wanted, keys, console.width)
    for shown in _panels(heads, widths, keys, console.width):
        sheet = Table()
        for i in shown:
            side = "left" if heads[i] in words else "right"
            sheet.add_column(Text(heads[i]), justify=side, width=widths[i], overflow="fold")
        for line in texts:
            sheet.add_row(*(Text(line[i]) for i in shown))
        console.print(sheet)


def _allowed(wanted: Sequence[int], keys: int, room: int) -> list[int]:
    """Return the columns' widths: as wanted, but for those that leave no room for others."""
    widest = min(max(wanted[keys:], default=0) + _FRAME, room // 2)
    own = list(wanted[:keys])
    while _total(own) + widest > room and max(own) > _NARROWEST:
        own[own.index(max(own))] -= 1
    left = max(_NARROWEST, room - _total(own) - _FRAME)
    return [*own, *(min(width, left) for width in wanted[keys:])]


def _panels(
    heads: Sequence[str], widths: Sequence[int], keys: int, room: int
) -> Iterator[list[int]]:
    """Yield the columns of each table, the keys first in each."""
    together: list[list[int]] = []
    for i in range(keys, len(heads)):
        if together and heads[i].startswith("±"):
            together[-1].append(i)
        else:
            together.append([i])
    first = list(range(keys))
    shown = list(first)
    for group in together:
        if len(shown) > keys and _total([widths[i] for i in (*shown, *group)]) > room:
            yield shown
            shown = list(first)
        for i in group:
            if len(shown) > keys and _total([widths[j] for j in (*shown, i)]) > room:
                yield shown
                shown = list(first)
            shown.append(i)
    yield shown


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _FRAME * len(widths) + 1
