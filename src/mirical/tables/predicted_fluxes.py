"""Predicted fluxes by star and band: shipped, a user's, or a table's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import QTable, Table
from numpy.typing import NDArray

from mirical.conventions import FLUX
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.number_text import floats
from mirical.stars import canonical_stars
from mirical.tables.formats import numbers, read_columns, texts
from mirical.tables.quantities import errors

_SAME = 1e-4  # fluxes that differ by less differ only by rounding
_SAME_FLUX = 1e-3  # relative; fluxes that differ by less differ by rounding
_SAME_ERROR = 0.05  # relative; errors printed with two digits differ by as much


def shipped_fluxes(instrument: Instrument) -> QTable:
    """Return the predicted fluxes of the instrument's card, as `spectra.predict` makes them."""
    if instrument.predicted_fluxes is None:
        empty = QTable({"name": np.array([], dtype=str), "filter": np.array([], dtype=str)})
        empty["model_flux"] = [] * FLUX
        return empty
    columns = {"name": None, "filter": None, "model_flux": FLUX}
    return instrument.table(instrument.predicted_fluxes, columns)


def read_fluxes(path: Path, instrument: Instrument, notes: list[str] | None = None) -> QTable:
    """Read a user's table of predicted fluxes.

    Parameters
    ----------
    path : Path
        The table, in any format.
    instrument : Instrument
        Whose bands.
    notes : list of str, optional
        What was assumed in reading is added to it.

    Returns
    -------
    QTable
        Columns name (canonical spelling, one a star), filter, model_flux [mJy] and, where the
        file has it, model_flux_unc [mJy]; magnitudes with a unit such as mag(AB) are converted.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, has a wrong unit, an
        unknown band, a flux that is not positive or a star and band twice.
    """
    units = {"model_flux": FLUX, "model_flux_unc": FLUX}
    raw = read_columns(path, ("name", "filter", "model_flux"), notes, units, instrument)
    fluxes = numbers(raw["model_flux"], FLUX, path.name)
    table = QTable()
    names = canonical_stars(texts(raw["name"]))
    bands = texts(raw["filter"])
    table["name"], table["filter"], table["model_flux"] = names, bands, fluxes
    if "model_flux_unc" in raw.colnames:
        unc = errors(raw, "model_flux_unc", fluxes, FLUX, path.name)
        for i in np.flatnonzero(unc.value < 0):
            raise InputError(
                f"{path.name} row {i + 1}: column 'model_flux_unc' is {unc[i]:g}; expected zero or "
                "a positive number."
            )
        table["model_flux_unc"] = unc
    seen: set[tuple[str, str]] = set()
    for i, (name, band, flux) in enumerate(zip(names, bands, fluxes, strict=True), start=1):
        if not name:
            raise InputError(f"{path.name} row {i}: column 'name' is blank; every row needs it.")
        instrument.find_band(band, f"{path.name} row {i}")
        if not 0 < flux.value < np.inf:
            raise InputError(
                f"{path.name} row {i}: column 'model_flux' is {flux:g}; expected a positive number."
            )
        if (name, band) in seen:
            raise InputError(
                f"{path.name} row {i}: star {name!r} has band {band!r} twice; keep one of the rows."
            )
        seen.add((name, band))
    return table


def with_own_stars(
    own: QTable, shipped: QTable, column: str = "model_flux"
) -> dict[tuple[str, str], float]:
    """Return fluxes in mJy by star and band: a user's stars as the user gives them, others shipped.

    Or their errors, with the column ``model_flux_unc``.

    A star in `own` is taken from there alone, so that no star mixes two predictions.
    """
    stars = set(own["name"])
    known = by_star_band(shipped, column).items()
    others = {key: flux for key, flux in known if key[0] not in stars}
    return others | by_star_band(own, column)


def by_star_band(table: QTable, column: str = "model_flux") -> dict[tuple[str, str], float]:
    """Return the fluxes of a table, or their errors, in mJy by star and band; none if it has none.

    An error of NaN is one that nobody states.
    """
    if column not in table.colnames:
        return {}
    keys = zip(map(str, table["name"]), map(str, table["filter"]), strict=True)
    values = zip(keys, floats(table[column], FLUX).tolist(), strict=True)
    return {key: value for key, value in values if np.isfinite(value)}


def differences(new: QTable, shipped: QTable) -> Table:
    """Return both tables' fluxes side by side.

    Returns
    -------
    Table
        Columns name, filter, new, shipped [mJy], diff_pct and status:
        ``same``, ``differs``, ``new`` or ``missing``.
    """
    ours, theirs = by_star_band(new), by_star_band(shipped)
    records = []
    for key in dict.fromkeys((*theirs, *ours)):
        one, two = ours.get(key, np.nan), theirs.get(key, np.nan)
        change = one / two - 1
        status = "same" if abs(change) <= _SAME else "differs"
        status = "missing" if key not in ours else "new" if key not in theirs else status
        records.append((*key, one, two, 100 * change, status))
    names = ("name", "filter", "new", "shipped", "diff_pct", "status")
    return Table(rows=records, names=names)


def predicted_fluxes(
    rows: QTable, looked_up: Sequence[float], looked_up_unc: Sequence[float], source: str
) -> None:
    """Fill in ``model_flux`` and ``model_flux_unc`` [mJy] of every row.

    A star has one predicted flux a band. Where some of its rows state none, those that do count
    for all; where none does, the flux that was looked up. The error is that which the rows of
    the star and band state, or that which was looked up with the flux; it is zero where there is
    none: then only the scatter of predictions that a fit learns stands for it.

    Parameters
    ----------
    rows : QTable
        Rows with name, filter, flag and the columns above, as far as the table has them;
        completed in place.
    looked_up : sequence of float
        Predicted flux of each row's star and band in mJy, NaN where there is none.
    looked_up_unc : sequence of float
        Its error in mJy, zero where none is stated.
    source : str
        Begins the sentence.

    Raises
    ------
    InputError
        If two rows to be fitted contradict each other, or a row states a flux and no row of its
        star and band the flux's error, though the table has a column for it.
    """
    nothing = np.full(len(rows), np.nan)
    own = rows["model_flux"].to_value(FLUX) if "model_flux" in rows.colnames else nothing
    states = "model_flux_unc" in rows.colnames
    stated = rows["model_flux_unc"].to_value(FLUX) if states else nothing
    flux = np.where(np.isfinite(own), own, np.asarray(looked_up, dtype=float))
    unc = np.where(np.isfinite(own), np.nan_to_num(stated), np.asarray(looked_up_unc, dtype=float))
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, (name, band, flag) in enumerate(
        zip(rows["name"], rows["filter"], rows["flag"], strict=True)
    ):
        if not flag:
            groups[str(name), str(band)].append(i)
    for (name, band), members in groups.items():
        place = f"{source}: star {name!r} in {band}"
        given = [i for i in members if np.isfinite(own[i])]
        if given:
            _refuse_two(given, own, _SAME_FLUX, f"{place} has two predicted fluxes", rows)
            flux[[i for i in members if not np.isfinite(own[i])]] = own[given[0]]
        ratio = stated / flux
        known = [i for i in members if np.isfinite(ratio[i])]
        if states and given and not known:
            raise InputError(
                f"{source} row {rows['row'][given[0]]}: column 'model_flux_unc' is blank, and no "
                f"row of {name!r} in {band} states it; fill it in, with 0 where the scatter that "
                "the fit learns is to stand for it, or leave the column out."
            )
        if known:
            said = f"{place} has two errors of its predicted flux"
            _refuse_two(known, stated, _SAME_ERROR, said, rows)
            unc[members] = np.max(ratio[known]) * flux[members]
    rows["model_flux"], rows["model_flux_unc"] = flux * FLUX, unc * FLUX


def _refuse_two(
    members: Sequence[int], values: NDArray[np.float64], same: float, said: str, rows: QTable
) -> None:
    """Refuse rows of a star and band that state two numbers where there is one."""
    first = members[0]
    for i in members[1:]:
        if abs(values[i] - values[first]) > same * max(values[i], values[first]):
            one, two = (f"{values[k]:.6g} mJy (row {rows['row'][k]})" for k in (first, i))
            raise InputError(
                f"{said}, {one} and {two}; give one for all its rows, or blank the wrong one."
            )
