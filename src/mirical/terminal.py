"""Tables on a terminal, laid out to its width so that no digit is cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from mirical.json_answer import JsonAnswer

_FRAME = 3
"""Characters a column takes beside its text: a blank on either side and a line."""

_NARROWEST = 4
_PROSE = 4  # words of an entry
_RIGHT: JustifyMethod = "right"
_GAP = "  "
"""Between the columns of a table that is piped."""


def print_sheet(
    title: str,
    heads: Sequence[str],
    lines: Sequence[Sequence[object]],
    console: Console,
    keys: int = 1,
    table: Any = None,
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
    table : astropy.table.Table, optional
        What the lines are of in full precision, for an answer in JSON.
    """
    texts = [[str(cell) for cell in line] for line in lines]
    if isinstance(console, JsonAnswer):
        if table is None:
            console.keep(title, heads, texts)
        else:
            console.keep_table(title, table)
        return
    columns = list(zip(*texts, strict=True)) or [()] * len(heads)
    sides: list[JustifyMethod] = [_side(column) for column in columns]
    if not console.is_terminal:
        _print_plain(title, heads, texts, sides, console)
        return
    wanted = [max(map(cell_len, column)) for column in zip(heads, *texts, strict=True)]
    console.print(Text(title, style="italic"))
    widths = _allowed(wanted, keys, console.width)
    for shown in _panels(heads, widths, keys, console.width):
        sheet = Table()
        for i in shown:
            sheet.add_column(Text(heads[i]), justify=sides[i], width=widths[i], overflow="fold")
        for line in texts:
            sheet.add_row(*(Text(line[i]) for i in shown))
        console.print(sheet)


def _side(column: Sequence[str]) -> JustifyMethod:
    """Return the side a column stands at: prose at the left, numbers at the right."""
    return "left" if any(len(entry.split()) >= _PROSE for entry in column) else _RIGHT


def _print_plain(
    title: str,
    heads: Sequence[str],
    texts: Sequence[Sequence[str]],
    sides: Sequence[str],
    console: Console,
) -> None:
    """Print a table into a file or a pipe: a line a row, without frame, colour or line breaks."""
    console.print(Text(title), soft_wrap=True)
    rows = [list(heads), *texts]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for text, width, side in zip(row, widths, sides, strict=True):
            blanks = " " * (width - cell_len(text))
            cells.append(text + blanks if side == "left" else blanks + text)
        console.print(Text(_GAP.join(cells).rstrip()), soft_wrap=True)


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
