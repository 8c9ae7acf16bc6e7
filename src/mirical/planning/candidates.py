"""Candidate observations: a table read and checked against the run it is to add to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import Table
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.inference.gaussian import MOST_ROWS
from mirical.instruments.instrument import Instrument
from mirical.jobs.inputs import Inputs
from mirical.planning.assumptions import Known
from mirical.planning.costs import unit_hours
from mirical.stars import canonical_stars, star_hint
from mirical.tables.columns import columns
from mirical.tables.formats import numbers, read_columns, texts
from mirical.tables.quantities import epochs

Floats = NDArray[np.float64]

NEEDED = ("name", "filter", "subarray", "time")
MOST_EXPOSURES = 10_000


@dataclass(frozen=True)
class Candidates:
    """Candidate rows, one an entry.

    Attributes
    ----------
    stars, bands, subarrays : tuple of str
        Canonical spellings.
    terms : tuple of str
        Subarray whose D applies.
    mjd : (candidate,) array
        Epochs, MJD in days.
    units : tuple of str
        What each is observed together with: its visit, or itself alone.
    exposures : (candidate,) array
        How many rows each makes.
    unc : (candidate,) array
        Photometric error of one of them, a fraction.
    flux_unc : (candidate,) array
        Stated error of the predicted flux where the run has no row of that star and band, a
        fraction.
    types : mapping of {str : str}
        Type of each star.
    hours : mapping of {str : float}
        What each unit costs.
    notes : tuple of str
        What was assumed, in sentences.
    """

    stars: tuple[str, ...]
    bands: tuple[str, ...]
    subarrays: tuple[str, ...]
    terms: tuple[str, ...]
    mjd: Floats
    units: tuple[str, ...]
    exposures: Floats
    unc: Floats
    flux_unc: Floats
    types: Mapping[str, str]
    hours: Mapping[str, float]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.stars)

    def rows_of(self, unit: str) -> NDArray[np.intp]:
        """Return which entries are observed together."""
        return np.flatnonzero(np.array(self.units) == unit)


def read_candidates(path: Path, inputs: Inputs) -> Candidates:
    """Read a table of candidates for a run.

    Parameters
    ----------
    path : Path
        Columns ``name``, ``filter``, ``subarray``, ``time``; optional ones ``srctype``, ``visit``,
        ``exposures``, ``inttime`` [s], ``ifluxunc`` (of ``iflux`` in its unit, else a fraction),
        ``flux`` [mJy] and ``cost_hours`` [h].
    inputs : Inputs
        Rows and card of the run.

    Raises
    ------
    InputError
        If a column or an entry cannot be used, or a band is one that the run has no rows in.
    """
    instrument, source = inputs.instrument, path.name
    notes: list[str] = []
    table = read_columns(path, NEEDED, notes, _units_of(instrument), instrument)
    if not len(table):
        raise InputError(f"{source}: the table has no rows; give a candidate each.")
    names, bands, subarrays = (_words(table, column, source) for column in NEEDED[:3])
    stars = canonical_stars(names)
    for i, (band, subarray) in enumerate(zip(bands, subarrays, strict=True), start=1):
        instrument.require_readout(band, subarray, f"{source} row {i}")
        if band not in inputs.design.bands:
            raise InputError(
                f"{source} row {i}: the run has no rows in {band!r}, so that nothing says what a "
                f"row there would be; expected one of {', '.join(inputs.design.bands)}."
            )
    mjd = _epochs(table, instrument, source, notes)
    exposures = _optional(table, "exposures", u.one, source, 1.0)
    whole = (exposures >= 1) & (exposures <= MOST_EXPOSURES) & (exposures % 1 == 0)
    _require(whole, exposures, source, "exposures", f"a whole number from 1 to {MOST_EXPOSURES}")
    units = _units(table, source)
    known = Known(inputs, stars, bands)
    types = known.types(_given_types(table, stars, instrument, source), source)
    inttime = _optional(table, "inttime", u.s, source)
    _require_positive(inttime, source, "inttime")
    flux = _optional(table, "flux", u.mJy, source)
    _require_positive(flux, source, "flux")
    unc = known.photometric(_stated_errors(table, instrument, source), inttime, flux, source)
    stated, overheads = _optional(table, "cost_hours", u.h, source), instrument.overheads
    hours = unit_hours(
        units,
        stated,
        exposures,
        known.integration(inttime),
        overheads,
        source,
    )
    if overheads is not None and not np.isfinite(stated).all():
        notes.append(
            f"{source}: rows without cost_hours are charged {overheads.visit_seconds:g} s a visit, "
            f"{overheads.exposure_seconds:g} s an exposure and {100 * overheads.share:g} % of all "
            f"beside their exposure times ({overheads.source})."
        )
    notes += instrument.assumptions(subarrays)
    new = [name for name in dict.fromkeys(stars) if name not in inputs.design.stars]
    notes += [
        f"{source}: star {name!r} has no rows in the run: its predicted flux is taken to be as "
        f"uncertain as the priors of a star and its type are{star_hint(name)}"
        + ("" if star_hint(name) else ".")
        for name in new
    ]
    return Candidates(
        stars=tuple(stars),
        bands=tuple(bands),
        subarrays=tuple(subarrays),
        terms=tuple(instrument.assumed_term(name, source) for name in subarrays),
        mjd=mjd,
        units=units,
        exposures=exposures,
        unc=unc,
        flux_unc=known.flux_errors(),
        types=types,
        hours=hours,
        notes=(*notes, *known.notes),
    )


def _units_of(instrument: Instrument) -> dict[str, u.UnitBase | None]:
    """Return the unit of each optional column; ifluxunc may be a fraction and has its own."""
    units: dict[str, u.UnitBase | None] = dict.fromkeys(("srctype", "visit", "ifluxunc"))
    units |= {"exposures": u.one, "inttime": u.s, "flux": u.mJy, "cost_hours": u.h}
    return units | {"iflux": columns(instrument)["iflux"].unit}


def require_few(planned: Candidates, rows: int, path: Path) -> None:
    """Refuse more candidates than fit beside a run's rows in matrices of rows by rows.

    Raises
    ------
    InputError
        If they are more than `MOST_ROWS` together.
    """
    if rows + len(planned) > MOST_ROWS:
        raise InputError(
            f"{path.name}: has {len(planned)} candidates beside {rows} rows of the run, and plan "
            f"holds matrices of rows by rows, of {MOST_ROWS} at most; give fewer candidates."
        )


def _words(table: Table, column: str, source: str) -> list[str]:
    found = texts(table[column])
    for i, word in enumerate(found, start=1):
        if not word:
            raise InputError(f"{source} row {i}: column {column!r} is blank; every row needs it.")
    return found


def _epochs(table: Table, instrument: Instrument, source: str, notes: list[str]) -> Floats:
    mjd = epochs(table["time"], source, notes)
    first, last = instrument.epochs
    expected = f"an epoch of {instrument.observatory} (MJD), such as {instrument.reference_mjd:.0f}"
    _require((mjd >= first) & (mjd <= last), mjd, source, "time", expected)
    return mjd


def _require(
    good: NDArray[np.bool_], values: Floats, source: str, column: str, expected: str
) -> None:
    for i in np.flatnonzero(~good):
        raise InputError(
            f"{source} row {i + 1}: column {column!r} is {values[i]:.10g}; expected {expected}."
        )


def _require_positive(values: Floats, source: str, column: str) -> None:
    """Refuse what is stated and not positive; what is blank is assumed later."""
    _require(~(values <= 0), values, source, column, "a positive number, or none")


def _optional(
    table: Table, column: str, unit: u.UnitBase, source: str, otherwise: float = np.nan
) -> Floats:
    """Return a column that need not be there, `otherwise` where it states nothing."""
    if column not in table.colnames:
        return np.full(len(table), otherwise)
    found = numbers(table[column], unit, source, bare=unit).value
    return np.where(np.isnan(found), otherwise, found)


def _units(table: Table, source: str) -> tuple[str, ...]:
    """Return what each row is observed together with."""
    stated = texts(table["visit"]) if "visit" in table.colnames else [""] * len(table)
    alone = [f"row {i}" for i in range(1, len(table) + 1)]
    for name in set(stated) & set(alone):
        raise InputError(f"{source}: a visit is called {name!r}, as rows without one are; rename.")
    return tuple(visit or one for visit, one in zip(stated, alone, strict=True))


def _given_types(
    table: Table, stars: list[str], instrument: Instrument, source: str
) -> dict[str, str]:
    """Return the types that the table states, by star."""
    if "srctype" not in table.colnames:
        return {}
    found: dict[str, str] = {}
    for i, (star, word) in enumerate(zip(stars, texts(table["srctype"]), strict=True), start=1):
        if not word:
            continue
        kind = instrument.find_type(word, f"{source} row {i}")
        if found.setdefault(star, kind) != kind:
            raise InputError(
                f"{source} row {i}: star {star!r} is a {kind} here and a {found[star]} above; "
                "give one srctype per star."
            )
    return found


def _stated_errors(table: Table, instrument: Instrument, source: str) -> Floats:
    """Return the photometric errors that the table states as fractions, NaN for none."""
    if "iflux" in table.colnames and "ifluxunc" in table.colnames:
        rate = columns(instrument)["iflux"].unit or u.one
        value, error = (
            numbers(table[name], rate, source, bare=rate).value for name in ("iflux", "ifluxunc")
        )
        _require_positive(value, source, "iflux")
        _require_positive(error, source, "ifluxunc")
        return error / value
    found = _optional(table, "ifluxunc", u.one, source)
    expected = "a fraction between 0 and 1 (or give iflux in the same unit)"
    _require(~((found <= 0) | (found >= 1)), found, source, "ifluxunc", expected)
    return found
