"""Delimited text: CSV, TSV and Excel's CSV, with units in the header or in a row of their own."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import yaml
from astropy import units as u
from astropy.table import MaskedColumn, Table
from numpy.typing import NDArray

from mirical.errors import InputError, reason_of
from mirical.table_files.file_contents import as_text
from mirical.table_files.units import split_header, unit_of_text

Cells = NDArray[np.str_]

_DELIMITERS = "\t;,|"  # where two are equally many in the header, the first
_MISSING = ("", "-", "--", "---", "...", "nan", "na", "n/a", "#n/a", "null", "none", "<na>")
_POINT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_COMMA = re.compile(r"[+-]?(\d+(,\d*)?|,\d+)(e[+-]?\d+)?", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)")
_QUOTED = re.compile(r'"[^"]*"')
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def read_delimited(content: bytes, source: str, notes: list[str]) -> Table | None:
    """Return a table of delimited text, or None if the content is no such text.

    Numbers are read where all entries of a column that are not blank are numbers; a decimal comma
    counts where the delimiter is no comma and the file shows what it means. Comment lines (``#``)
    before the names are read as header entries where they are ``key: value``.

    Parameters
    ----------
    content : bytes
        The file's bytes, in UTF-8 or, as Excel writes it, Windows-1252.
    source : str
        Begins messages.
    notes : list of str
        What was assumed is added to it.

    Raises
    ------
    InputError
        If a row has more or fewer entries than there are columns, or two columns have one name.
    """
    text = _decoded(content, source, notes)
    if text is None:
        return None
    comments, rows = _without_comments(text)
    delimiter = _delimiter(rows.partition("\n")[0])
    if delimiter is None:
        return None
    columns = _columns(rows, delimiter, source)
    heads = [split_header(str(cells[0])) for cells in columns]
    columns = _without_blank_ends([cells[1:] for cells in columns])
    comma = delimiter != "," and _has_decimal_comma(columns)
    if comma:
        notes.append(f"{source}: numbers are read with a decimal comma.")
    number = _COMMA if comma else _POINT
    units = _units_row(columns, number)
    if units:
        columns = [cells[1:] for cells in columns]
    table = Table(meta=_header(comments))
    unnamed = False
    for i, ((name, unit), cells) in enumerate(zip(heads, columns, strict=True)):
        if not name:
            unnamed = unnamed or bool(np.any(cells != ""))
            continue
        if name in table.colnames:
            raise InputError(f"{source}: two columns are called {name!r}; rename or drop one.")
        table[name] = _typed(cells, number)
        stated = unit or (units[i] if units else "")
        if stated and table[name].dtype.kind in "if":
            table[name].unit = unit_of_text(stated) or u.Unit(stated, parse_strict="silent")
    if unnamed:
        notes.append(f"{source}: a column without a name is not read.")
    return table


def _columns(text: str, delimiter: str, source: str) -> list[Cells]:
    """Return the entries of each column, blanks at their ends cut off, its name first."""
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    try:
        found = [row for row in rows if row]
    except csv.Error as error:
        raise InputError(
            f"{source} line {rows.line_num}: cannot be read as CSV ({reason_of(error)})."
        ) from error
    for number, row in enumerate(found):
        if len(row) != len(found[0]):
            raise InputError(
                f"{source} row {number}: has {len(row)} entries, and the line of names "
                f"{len(found[0])}; a blank one needs its delimiter ({delimiter!r}) too."
            )
    return [np.strings.strip(np.array(cells, dtype=str)) for cells in zip(*found, strict=True)]


def _decoded(content: bytes, source: str, notes: list[str]) -> str | None:
    try:
        text = as_text(content, source)
    except InputError:
        with suppress(UnicodeDecodeError):
            text = content.decode("cp1252")
            if _CONTROLS.search(text):
                return None
            notes.append(f"{source}: is not UTF-8; its letters are read as Windows-1252 (Excel).")
            return _lines(text)
        raise
    return None if _CONTROLS.search(text) else _lines(text)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def _without_comments(text: str) -> tuple[list[str], str]:
    """Return the comment lines before the names of the columns, and what follows.

    The last comment is the line of names itself where it has as many entries as the row below,
    and that row has numbers.
    """
    comments: list[str] = []
    while True:
        line, _, rest = text.partition("\n")
        if line.casefold().startswith("sep=") and len(line) <= len("sep=;") + 1:
            text = rest  # Excel's own word for the delimiter
        elif line.startswith("#") or (not line.strip() and rest):
            comments.append(line.lstrip("#").removeprefix(" "))
            text = rest
        else:
            break
    last = comments[-1] if comments else ""
    delimiter = _delimiter(last)
    if delimiter is not None and last.count(delimiter) == line.count(delimiter):
        if any(_POINT.fullmatch(entry.strip()) for entry in line.split(delimiter)):
            return comments[:-1], f"{last}\n{text}"
    return comments, text


def _delimiter(line: str) -> str | None:
    bare = _QUOTED.sub("", line)
    found = max(_DELIMITERS, key=bare.count)
    return found if found in bare else None


def _header(comments: Sequence[str]) -> dict[str, Any]:
    with suppress(yaml.YAMLError, ValueError):
        found = yaml.safe_load("\n".join(comments))
        if isinstance(found, dict):
            return {str(key): value for key, value in found.items()}
    return {}


def _without_blank_ends(columns: list[Cells]) -> list[Cells]:
    """Leave out rows without any entry at the end, which spreadsheets write."""
    filled = np.flatnonzero(np.any([cells != "" for cells in columns], axis=0))
    end = filled[-1] + 1 if len(filled) else 0
    return [cells[:end] for cells in columns]


def _given(cells: Cells) -> list[str]:
    return [cell for cell in cells.tolist() if cell.casefold() not in _MISSING]


def _has_decimal_comma(columns: Sequence[Cells]) -> bool:
    """Return whether a column of numbers has commas that cannot part thousands."""
    for cells in columns:
        given = _given(cells[1:]) if len(cells) > 1 else _given(cells)  # the first may be units
        if given and all(map(_COMMA.fullmatch, given)):
            if any("," in cell and not _GROUPED.fullmatch(cell) for cell in given):
                return True
    return False


def _units_row(columns: Sequence[Cells], number: re.Pattern[str]) -> list[str]:
    """Return the entries of the first row if it is one of units, else nothing.

    It is where every column of numbers has no number in it, and one of them a word.
    """
    words = False
    for cells in columns:
        rest = _given(cells[1:])
        if rest and all(map(number.fullmatch, rest)):
            first = _given(cells[:1])
            if first and number.fullmatch(first[0]):
                return []
            words = words or bool(first and unit_of_text(first[0]) is not None)
    return [str(cells[0]) for cells in columns] if words else []


def _typed(cells: Cells, number: re.Pattern[str]) -> MaskedColumn:
    """Return the entries of a column as numbers if those that are given all are."""
    given = _given(cells)
    if not all(map(number.fullmatch, given)):
        return MaskedColumn(cells, mask=cells == "")
    mask = np.array([cell.casefold() in _MISSING for cell in cells.tolist()], dtype=bool)
    if given and all(map(_WHOLE.fullmatch, given)) and max(map(len, given)) < 18:
        return MaskedColumn(np.where(mask, "0", cells).astype(np.int64), mask=mask)
    if given and any(re.match(r"[+-]?0\d", cell) for cell in given):
        return MaskedColumn(cells, mask=mask)  # 01536 is a name
    plain = [cell.replace(",", ".") for cell in np.where(mask, "nan", cells).tolist()]
    return MaskedColumn(np.array(plain, dtype=str).astype(np.float64), mask=mask)
