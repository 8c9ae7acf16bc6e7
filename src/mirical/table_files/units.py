"""Units as people write them in headers and rows of units, read as astropy's."""

from __future__ import annotations

import re
import warnings

from astropy import units as u
from astropy.table import Column, Table

# Spellings that astropy does not know, each a whole word of a unit's text.
_WORDS = {
    "counts": "ct",
    "cts": "ct",
    "adus": "adu",
    "dns": "DN",
    "electrons": "electron",
    "e-": "electron",
    "e": "electron",
    "sec": "s",
    "secs": "s",
    "second": "s",
    "seconds": "s",
    "day": "d",
    "days": "d",
    "mjd": "d",
    "jd": "d",
    "pixel": "pix",
    "pixels": "pix",
    "px": "pix",
    "abmag": "mag(AB)",
    "stmag": "mag(ST)",
}
_WORD = re.compile(r"e-(?=$|[\s/*])|[A-Za-z]+")
_MAGNITUDES = re.compile(r"(AB|ST)[\s_]*mags?|mags?[\s_]*\[?(AB|ST)\]?", re.IGNORECASE)
_IN_CAPITALS = re.compile(r"(?:DN|ADU|CTS?|COUNTS?|ELECTRONS?)/S(?:EC)?(?i:/pix(?:el)?)?")
_BLANK = re.compile(r"[-\s.]*")
_IN_HEADER = re.compile(r"(?P<name>[^\[\](){}]+?)\s*(?:\[(?P<a>.*)\]|\((?P<b>.*)\))")


def unit_of_text(text: str) -> u.UnitBase | None:
    """Return the unit a text means, or None if it is none that is known.

    Beside astropy's own spellings: ``counts``, ``e-``, ``ADU``, ``px``, ``MJD`` (days) and ``AB
    mag``. What differs in capitals alone from two units, such as ``mjy``, is none.

    Parameters
    ----------
    text : str
        Such as ``DN/s``, ``[DN/s/pix]``, ``e-/s`` or ``AB mag``.
    """
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1].strip()
    if not text or _BLANK.fullmatch(text):
        return None
    magnitudes = _MAGNITUDES.fullmatch(text)
    if magnitudes:
        return _parsed(f"mag({(magnitudes[1] or magnitudes[2]).upper()})")
    if _IN_CAPITALS.fullmatch(text):  # as HST's headers have it; S alone is the siemens
        text = text.lower()
    return _parsed(text) or _parsed(_WORD.sub(_known_word, text))


def split_header(text: str) -> tuple[str, str]:
    """Return the name and the unit's text of a column's head: ``iflux [DN/s]``, ``time (MJD)``."""
    match = _IN_HEADER.fullmatch(text.strip())
    if match is None:
        return text.strip(), ""
    return match["name"].strip(), (match["a"] or match["b"] or "").strip()


def understand_units(table: Table) -> None:
    """Read units again that the file's format does not know (DN, ``counts``); in place.

    A unit nobody knows stays what it is, and is refused if the column is needed.
    """
    for name in table.colnames:
        unit = getattr(table[name], "unit", None)
        if isinstance(unit, u.UnrecognizedUnit):
            found = unit_of_text(str(unit))
            if found is not None or _BLANK.fullmatch(str(unit)):
                change_unit(table, name, found)


def change_unit(table: Table, name: str, unit: u.UnitBase | None) -> None:
    """Change the unit of a column and leave its numbers, of quantities too; in place."""
    column = table[name]
    if isinstance(column, u.Quantity):
        table.replace_column(name, Column(column.value, name=name))
    table[name].unit = unit


def _known_word(match: re.Match[str]) -> str:
    return _WORDS.get(match[0].casefold(), match[0])


def _parsed(text: str) -> u.UnitBase | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of spellings such as DN/s/pix, which are meant so
            return u.Unit(text)
    except (ValueError, TypeError):
        return None
