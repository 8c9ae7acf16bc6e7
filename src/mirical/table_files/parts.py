"""One table of a file that holds several, named as FITS tools do: ``rows.fits[2]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from astropy.table import Table

from mirical.errors import InputError
from mirical.storage.shipped import find_file

_PART = re.compile(r"(?P<file>.+)\[(?P<part>[^\[\]]+)\]")


def split_part(path: Path) -> tuple[Path, str]:
    """Return the file that a path names, and the table in it; that is empty where none is named.

    A file whose own name ends with brackets is that file.
    """
    match = _PART.fullmatch(path.name)
    if match is None or path.exists():
        return path, ""
    return path.with_name(match["file"]), match["part"].strip()


def find_table(name: str, beside: Path | None = None) -> Path | None:
    """Return the path of a table's file, with the part in brackets if one is named, or None.

    Parameters
    ----------
    name : str
        A path such as ``rows.fits`` or ``rows.fits[2]``.
    beside : Path, optional
        Folder that a relative path is tried in first.

    Raises
    ------
    InputError
        If the system refuses to look.
    """
    found = find_file(name, beside)
    match = _PART.fullmatch(Path(name).name)
    if found is not None or match is None:
        return found
    found = find_file(str(Path(name).with_name(match["file"])), beside)
    return None if found is None else found.with_name(f"{found.name}[{match['part']}]")


def chosen_part(
    tables: Mapping[str, Table], names: Mapping[str, str], part: str, source: str
) -> dict[str, Table]:
    """Return the table that is named, or all where none is.

    Parameters
    ----------
    tables : mapping of {str : Table}
        By place, ``[1]``.
    names : mapping of {str : str}
        What the file calls them, by place.
    part : str
        Number or name of the one that is meant; empty for all.
    source : str
        What was asked for; begins the sentence.

    Raises
    ------
    InputError
        If there is no such table, or two have the name.
    """
    if part:
        found = [
            place
            for place in tables
            if place == f"[{part}]" or names[place].casefold() == part.casefold()
        ]
        if len(found) != 1:
            known = ", ".join(f"{place} {names[place]}".strip() for place in tables)
            what = "no table" if not found else "several tables"
            raise InputError(f"{source}: {what} of that name; the file has {known}.")
        return {"": tables[found[0]]}
    return dict(tables) if len(tables) > 1 else {"": next(iter(tables.values()))}
