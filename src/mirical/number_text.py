"""Numbers as text in printed tables, with the mark of what they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import numpy as np
from astropy.table import QTable, Row
from numpy.typing import NDArray

DATA = "data"
NOTHING = "–"  # no number is stated
MINUS = "−"
_LARGE = 1000.0  # percent
_MJD_0 = date(1858, 11, 17)


@dataclass(frozen=True)
class Entry:
    """One place of a printed table.

    Attributes
    ----------
    text : str
        What is printed.
    basis : str
        What the number rests on; any word but ``data`` is printed beside it in grey.
    kind : str
        ``"number"`` or ``"text"``.
    """

    text: str
    basis: str = DATA
    kind: str = "number"

    @property
    def caution(self) -> str:
        """The word to be printed beside a number that is not a measurement, else empty."""
        return "" if self.basis == DATA or self.text == NOTHING else self.basis


@dataclass(frozen=True)
class Sheet:
    """A printed table.

    Attributes
    ----------
    title : str
        What it shows.
    heads : tuple of str
        Column heads.
    lines : tuple of tuple of Entry
        The body; the first entry of a line names it.
    groups : tuple of (str, int)
        Heads over several columns, with how many; empty for none.
    """

    title: str
    heads: tuple[str, ...]
    lines: tuple[tuple[Entry, ...], ...]
    groups: tuple[tuple[str, int], ...] = ()

    @property
    def marked(self) -> tuple[tuple[tuple[Entry, str], ...], ...]:
        """The lines, each entry with the word of caution to be printed beside it.

        A word is printed once: beside the line's name if it is the only one of the line and holds
        under several heads, else beside the first entry under each head that it holds for.
        """
        heads = [i for i, (_, number) in enumerate(self.groups) for _ in range(number)]
        over = heads or list(range(len(self.heads)))
        return tuple(tuple(zip(line, _words_once(line, over), strict=True)) for line in self.lines)

    def columns(self, kept: Sequence[int]) -> Sheet:
        """Return the sheet with some of its columns alone, by their place."""
        over = [name for name, number in self.groups for _ in range(number)]
        named = groupby(over[i] for i in kept) if over else ()
        return Sheet(
            self.title,
            tuple(self.heads[i] for i in kept),
            tuple(tuple(line[i] for i in kept) for line in self.lines),
            tuple((name, len(list(of))) for name, of in named),
        )


def _words_once(line: Sequence[Entry], over: Sequence[int]) -> list[str]:
    under = [(head, entry.caution) for head, entry in zip(over, line, strict=True)]
    held = {pair for pair in under if pair[1]}
    words_held = {word for _, word in held}
    if len(held) > 1 and len(words_held) == 1:
        return [*words_held, *[""] * (len(line) - 1)]
    return ["" if pair in under[:i] else pair[1] for i, pair in enumerate(under)]


def floats(column: Any, unit: Any = None) -> NDArray[np.float64]:
    """Return a column of any kind as plain numbers, NaN where masked.

    Parameters
    ----------
    column : Column, Quantity or masked version of either
        What a table holds.
    unit : Unit, optional
        Unit the numbers are wanted in; the column's own by default.
    """
    mask = np.asarray(getattr(column, "mask", False))
    values = getattr(column, "unmasked", column)
    if unit is not None:
        values = values.to(unit)
    values = np.ma.getdata(np.asarray(getattr(values, "value", values)))
    return np.where(mask, np.nan, values.astype(float))


def value(entry: Any) -> float:
    """Return one entry of a column as a plain number, NaN where masked."""
    return float(floats(entry))


def rows_with(table: QTable, column: str, word: str) -> QTable:
    """Return the rows of a table that have a word in a column."""
    return table[np.asarray(words(table[column])) == word]


def words(column: Any) -> list[str]:
    """Return a column as plain text."""
    return [str(entry) for entry in column]


def day(mjd: float) -> str:
    """Return the day of an epoch, MJD: ``2022-09-08``."""
    return (_MJD_0 + timedelta(days=int(mjd))).isoformat()


def text(entry: object) -> Entry:
    """Return an entry of text."""
    return Entry(str(entry), kind="text")


def count(whole: Any) -> Entry:
    """Return an entry of a whole number."""
    return Entry(str(int(whole)))


def stars_counted(row: Row) -> Entry:
    """Return the stars a band's factor rests on: those predicted, and others that are free."""
    free = int(row["n_free_stars"]) if "n_free_stars" in row.colnames else 0
    return Entry(f"{row['n_stars']}{f' + {free} free' if free else ''}")


def number(amount: float, decimals: int, basis: str = DATA) -> Entry:
    """Return a number with a fixed number of decimals."""
    return Entry(_fixed(amount, decimals) if np.isfinite(amount) else NOTHING, basis)


def signed(amount: float, decimals: int, suffix: str = "", basis: str = DATA) -> Entry:
    """Return a number that always shows its sign, as differences do."""
    if not np.isfinite(amount):
        return Entry(NOTHING, basis)
    rounded = _fixed(amount, decimals)
    sign = "" if rounded.startswith(MINUS) or float(rounded) == 0 else "+"
    return Entry(f"{sign}{rounded}{suffix}", basis)


def percent(amount: float) -> str:
    """Return a difference in percent; one of a number near zero only says that it is large."""
    if abs(amount) >= _LARGE:
        return f"{'<' if amount < 0 else '>'} {signed(np.copysign(_LARGE, amount), 0, ' %').text}"
    return signed(amount, 0 if abs(amount) >= 100 else 1, " %").text


def measured(amount: float, error: float, basis: str = DATA) -> Entry:
    """Return ``amount ± error``, rounded to two digits of the error; no error, amount alone."""
    if not np.isfinite(amount):
        return Entry(NOTHING, basis)
    if not np.isfinite(error) or error <= 0:
        return Entry(f"{amount:.4g}".replace("-", MINUS), basis)
    decimals = 1 - int(np.floor(np.log10(float(f"{error:.1e}"))))
    return Entry(f"{_fixed(amount, decimals)} ± {_fixed(error, decimals)}", basis)


def _fixed(amount: float, decimals: int) -> str:
    rounded = round(float(amount), decimals) + 0.0  # the sum turns -0.0 into 0.0
    return f"{rounded:.{max(decimals, 0)}f}".replace("-", MINUS)
