"""Units of a table's columns settled: what is not stated, other words for counts, per pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from astropy import units as u
from astropy.table import Column, Table
from astropy.units.function import FunctionUnitBase

from mirical.table_files.file_contents import ECSV, FITS, MRT, VOTABLE
from mirical.table_files.units import change_unit

Units = Mapping[str, u.UnitBase | None]

COUNTS = (u.DN, u.adu, u.ct, u.electron)
"""What detectors' readings are called."""

_OF_ONE_PIXEL = ("pixrate", "pixwelldepth")
_STATE_UNITS = (ECSV, MRT)
_DROP_COUNTS = (FITS, VOTABLE)
_WHY = {FITS: "; FITS writers drop DN, which TUNITn keywords state"}


def settle_units(
    tables: Iterable[Table], wanted: Units, kind: str, source: str, notes: list[str]
) -> None:
    """Give the columns of tables the units that are meant, where these are not stated so; in place.

    A column without a unit is taken in the contract's: in formats that hold no units, and, of
    counts alone, in those whose writers drop DN. ``adu`` is DN, and ``ct`` the count of the
    instrument. What is an average per pixel may leave ``/pix`` out, and what is of one pixel may
    state it. All of this is said in a note. Anything else stays for `numbers` to refuse.

    Parameters
    ----------
    tables : iterable of Table
        Of one file.
    wanted : mapping of {str : Unit or None}
        The contract's unit of each column; None for text.
    kind : str
        Format of the file.
    source : str
        Begins the notes.
    notes : list of str
        Added to.
    """
    bare: dict[str, str] = {}
    read_as: dict[str, str] = {}
    for table in tables:
        for name, unit in wanted.items():
            if unit is None or name not in table.colnames:
                continue
            column = table[name]
            stated = column.info.unit
            if stated is None:
                if _may_be_bare(column, unit, kind):
                    change_unit(table, name, unit)
                    bare[name] = str(unit)
                continue
            meant = _meant(u.Unit(stated), unit, name)
            if meant is not None:
                change_unit(table, name, meant)
                read_as[name] = f"[{stated}] as [{meant}]"
    if bare:
        listed = ", ".join(f"{name} [{unit}]" for name, unit in bare.items())
        why = _WHY.get(kind, "")
        notes.append(f"{source}: columns without a unit are taken to be in: {listed}{why}.")
    if read_as:
        listed = ", ".join(f"{name} {how}" for name, how in read_as.items())
        notes.append(f"{source}: units are read so: {listed}.")


def _may_be_bare(column: Column, unit: u.UnitBase, kind: str) -> bool:
    if kind in _STATE_UNITS or getattr(column.info.dtype, "kind", "") not in "fiu":
        return False
    return kind not in _DROP_COUNTS or _count_of(unit) is not None


def _meant(given: u.UnitBase, wanted: u.UnitBase, name: str) -> u.UnitBase | None:
    """Return the unit that a stated one stands for, or None if it is itself meant, or unknown."""
    if isinstance(given, u.UnrecognizedUnit) or given.is_equivalent(wanted):
        return None
    if isinstance(given, FunctionUnitBase):
        physical = given.physical_unit
        meant = None if physical == u.one else _meant(physical, wanted, name)
        return None if meant is None else type(given)(meant, given.function_unit)
    meant = given
    mine, theirs = _count_of(wanted), _count_of(given)
    if mine is not None and theirs is not None and _is_same_count(theirs, mine):
        meant = meant * (mine / theirs) ** _power(given, theirs)
    if _power(given, u.pix) == 0:
        meant = meant * u.pix ** _power(wanted, u.pix)
    elif name in _OF_ONE_PIXEL:
        meant = meant / u.pix ** _power(given, u.pix)
    meant = u.Unit(meant)
    return meant if meant.is_equivalent(wanted) else None


def _count_of(unit: u.UnitBase) -> u.UnitBase | None:
    return next((count for count in COUNTS if count in unit.bases), None)


def _is_same_count(theirs: u.UnitBase, mine: u.UnitBase) -> bool:
    """Return whether two counts differ by name only; electrons and DN differ by the gain."""
    return u.ct in (theirs, mine) or u.electron not in (theirs, mine)


def _power(unit: u.UnitBase, base: u.UnitBase) -> float:
    powers = dict(zip(unit.bases, unit.powers, strict=True))
    return powers.get(base, 0)
