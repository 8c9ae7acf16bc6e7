"""Rows added to a photometry table: which it has already, which are changed, which are new."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable, vstack

from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.tables.columns import COLUMNS
from mirical.tables.duplicates import repeated_rows
from mirical.tables.photometry import Observations
from mirical.tables.visits import visit_starts

RUN_AGAIN = "an update cannot take a row back: correct the run's table and run the job again."
"""What to do about a row of a run that is changed."""

_SAME = 1e-6  # relative; what single precision leaves of a number, doubled
_NUMBERS = tuple(n for n, column in COLUMNS.items() if column.unit is not None and n != "time")
_TENTH = 0.1  # days; to which the names of visits tell when they began
_MEASURED = "iflux", "ifluxunc"
_OBSERVATION = "name", "filter", "subarray", "time", "iflux", "ifluxunc"


@dataclass(frozen=True)
class AddedRows:
    """New rows beside those of a run.

    Attributes
    ----------
    known : dict of {int : int}
        Row number in the run by row number of the new table, of those that are in both.
    fresh : tuple of int
        Row numbers in the new table of those that are in it alone.
    merged : QTable
        The run's rows as they are, in their order and with their numbers, and behind them the
        fresh ones, numbered on; columns are those of `Observations`.
    """

    known: dict[int, int]
    fresh: tuple[int, ...]
    merged: QTable


def added_rows(
    run: Observations, new: Observations, held: str = "", remedy: str = RUN_AGAIN
) -> AddedRows:
    """Tell which rows of a new table a run has already, and put the others behind its rows.

    A row is known if it is an observation of the run (`duplicates.repeated_rows`, whatever either
    is flagged) with the same numbers. Of the other numbers those that the new table leaves blank
    say nothing.

    Parameters
    ----------
    run, new : Observations
        Rows of a run, flags and predicted fluxes final, and rows of another table of the same
        instrument.
    held : str, optional
        Who has the rows of `run`, in words, if it is no run.
    remedy : str, optional
        What to do about a changed row.

    Raises
    ------
    InputError
        If a row is an observation of the run with other numbers; names row and column.
    """
    candidates = _same_observations(run.table, new.table, new.instrument)
    known = {}
    for row, earlier in candidates.items():
        differing = [_first_difference(run.table, one, new.table, row) for one in earlier]
        if all(differing):
            change = _change(run, earlier[0], new, row, str(differing[0]), held)
            raise InputError(f"{change}; {remedy}")
        same = next(i for i, column in zip(earlier, differing, strict=True) if column is None)
        known[row] = same
    fresh = np.array([i for i in range(len(new.table)) if i not in known], dtype=int)
    number = np.asarray(run.table["row"]), np.asarray(new.table["row"])
    return AddedRows(
        known={int(number[1][row]): int(number[0][same]) for row, same in known.items()},
        fresh=tuple(int(row) for row in number[1][fresh]),
        merged=_merged(run.table, new.table[fresh], new.instrument),
    )


def _same_observations(
    run: QTable, new: QTable, instrument: Instrument
) -> dict[int, tuple[int, ...]]:
    """Return which rows of the run are the observation that a new row is, by index."""
    both = vstack([_observed(run), _observed(new)], metadata_conflicts="silent")
    # What a row is flagged for does not make it another observation.
    first = repeated_rows(both, [""] * len(both), instrument)
    members: dict[int, list[int]] = defaultdict(list)
    for i in range(len(run)):
        members[first.get(i, i)].append(i)
    later = {i - len(run): of for i, of in first.items() if i >= len(run)}
    return {i: tuple(members[of]) for i, of in later.items() if of in members}


def _observed(table: QTable) -> QTable:
    """Return what tells observations from each other."""
    columns = [*_OBSERVATION, *(name for name in ("inttime",) if name in table.colnames)]
    found = QTable(table[columns], copy=False)
    found["reason"] = ""
    return found


def _first_difference(run: QTable, earlier: int, new: QTable, row: int) -> str | None:
    """Return the first column in which two rows of one observation differ, None if in none."""
    for name in _NUMBERS:
        if name not in run.colnames or name not in new.colnames:
            continue
        unit = run[name].unit
        before, now = run[name].to_value(unit)[earlier], new[name].to_value(unit)[row]
        if not np.isfinite(now) and (name not in _MEASURED or not np.isfinite(before)):
            continue
        if not np.isfinite(before) and name not in _MEASURED:
            continue
        if not abs(now - before) <= _SAME * abs(before):
            return name
    before, now = str(run["reduction"][earlier]), str(new["reduction"][row])
    return "reduction" if before and now and before != now else None


def _change(
    run: Observations, earlier: int, new: Observations, row: int, column: str, held: str
) -> str:
    """Say what differs in a row of both tables."""
    before, now = run.table[column][earlier], new.table[column][row]
    shown = (f"{one:.10g}" if hasattr(one, "unit") else repr(str(one)) for one in (now, before))
    now, before = shown
    place = run.table["row"][earlier]
    has = (
        f"it is {before} in row {place} of {held}"
        if held
        else (f"the run, which has this observation as row {place}, was fitted to {before}")
    )
    return f"{new.source} row {new.table['row'][row]}: column {column!r} is {now}, and {has}"


def _merged(run: QTable, fresh: QTable, instrument: Instrument) -> QTable:
    """Put new rows behind those of a run, in the visits of the run where they are of them."""
    merged = vstack([run, fresh], metadata_conflicts="silent") if len(fresh) else run.copy()
    for name in merged.colnames:  # a column that one of the tables lacks is unknown there
        column = merged[name]
        if hasattr(column, "unmasked"):
            merged[name] = column.filled(np.nan)
        elif hasattr(column, "mask"):
            merged[name] = column.filled("")
    merged["row"] = np.arange(1, len(merged) + 1)
    merged["visit"] = _visits(merged, len(run), instrument.visit_length)
    return merged


def _visits(merged: QTable, old: int, length: float) -> list[str]:
    """Return the visits of all rows: the first `old` rows keep theirs, whom others may join."""
    names, visits = (list(map(str, merged[column])) for column in ("name", "visit"))
    mjd = merged["time"].to_value("d")
    starts = visit_starts(names, mjd, length)
    by_time = [
        _began(visit.removeprefix(f"{name} "), at, length)
        for name, visit, at in zip(names, visits, mjd, strict=True)
    ]
    label: dict[tuple[str, float], str] = {}
    for i, key in enumerate(zip(names, starts.tolist(), strict=True)):
        if by_time[i] and i < old:
            label.setdefault(key, visits[i])
        elif by_time[i]:
            visits[i] = label.setdefault(key, f"{names[i]} {starts[i]:.1f}")
    return visits


def _began(text: str, mjd: float, length: float) -> bool:
    """Return whether a visit's name is the date at which rows of this date's visit began."""
    try:
        began = float(text)
    except ValueError:
        return False
    return -_TENTH <= mjd - began <= length + _TENTH
