"""Rows taken since a fit, joined to the rows of the run they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.inference.gaussian import MOST_ROWS
from mirical.jobs.inputs import Inputs, job_factors
from mirical.model.design import Design, make_design
from mirical.number_text import words
from mirical.reporting.stored_inputs import stored_job
from mirical.tables.added_rows import added_rows
from mirical.tables.calibration_factors import CalibrationFactors
from mirical.tables.photometry import Observations

Floats = NDArray[np.float64]

_CHANGED = "rows are compared with what the run was fitted to: run the job again on the new table."


@dataclass(frozen=True)
class WatchedRows:
    """A run's rows and those taken since.

    Attributes
    ----------
    design : Design
        Fitted rows of the run, in its order, then the watched ones.
    factors : CalibrationFactors
        Of all rows, flagged ones too.
    old : int
        How many rows of the design are the run's.
    known : int
        New rows that the run has already.
    notes : tuple of str
        Which rows are not watched, and why, in sentences.
    """

    design: Design
    factors: CalibrationFactors
    old: int
    known: int
    notes: tuple[str, ...]

    @property
    def mjd(self) -> Floats:
        """Epochs of all rows, MJD in days."""
        return np.asarray(self.design.elapsed) + self.design.t0

    @property
    def new(self) -> NDArray[np.intp]:
        """Places of the watched rows in the design, in order of time, then of their table."""
        places = np.arange(self.old, len(self.design.rows))
        return places[np.argsort(self.mjd[places], kind="stable")]


def watch_rows(folder: Path, inputs: Inputs, new: Observations) -> WatchedRows:
    """Return the rows of a run with those of a new table beside them.

    Parameters
    ----------
    folder : Path
        Of the run.
    inputs : Inputs
        Its rows and card.
    new : Observations
        The new table.

    Raises
    ------
    InputError
        If a row of the run is changed, or no new row can be compared with it.
    """
    if inputs.card.has("time_departure"):
        raise InputError(
            f"monitor: card {inputs.card.name!r} lets C wander from its law (time_departure), so "
            "that no change is one; run the job with a card without that term."
        )
    run = inputs.factors.observations
    added = added_rows(run, new, remedy=_CHANGED)
    merged, before = added.merged, len(run.table)
    fresh = merged[before:]
    unknown = ~np.isin(words(fresh["filter"]), inputs.design.bands)
    unknown &= np.array(words(fresh["flag"])) == ""
    bands = dict.fromkeys(words(fresh["filter"][unknown]))
    notes = [
        f"{np.sum(unknown & (np.array(words(fresh['filter'])) == band))} new rows in {band}, in "
        "which the run has none, are not watched: run the job with them."
        for band in bands
    ]
    merged = merged[np.concatenate([np.ones(before, dtype=bool), ~unknown])]
    both = f"{run.source} with {new.source}"
    rows = replace(run, table=merged, source=both, simulated=run.simulated or new.simulated)
    nominal = inputs.factors.nominal_fluxes()
    factors = job_factors(stored_job(folder), inputs.card.has("free_flux"), rows, nominal)
    design = make_design(factors, inputs.card)
    old = len(inputs.design.rows)
    flagged = np.array(words(factors.observations.table["flag"][before:]))
    for flag in dict.fromkeys(flagged[flagged != ""].tolist()):
        notes.append(f"{np.sum(flagged == flag)} new rows are flagged {flag} and not watched.")
    if len(design.rows) == old:
        said = f"; {len(added.known)} the run has already" if added.known else ""
        raise InputError(
            f"{new.source}: holds no row that can be watched{said}. " + " ".join(notes).strip()
        )
    _refuse_unlike(inputs, design, new.source)
    if len(design.rows) > MOST_ROWS:
        raise InputError(
            f"{new.source}: run and new rows are {len(design.rows)}, and monitor holds matrices of "
            f"rows by rows, of {MOST_ROWS} at most; run the job on the newer rows."
        )
    return WatchedRows(design, factors, old, len(added.known), tuple(notes))


def _refuse_unlike(inputs: Inputs, design: Design, source: str) -> None:
    """Refuse rows of a reduction that the run does not know, or without what a term rests on."""
    before, card = inputs.design, inputs.card
    slopes = {
        column: card.settings[term]
        for column, term in (("pixrate", "rate_slope"), ("pixwelldepth", "well_slope"))
        if card.has(term)
    }
    unknown = sorted(set(design.covariates.reductions) - set(before.covariates.reductions))
    if unknown:
        raise InputError(
            f"{source}: has rows of reduction {unknown[0]!r}, and the run has none of it: what "
            "changes may be the reduction; reduce old and new rows alike, and run the job again."
        )
    for column, term in (("pixrate", "rated"), ("pixwelldepth", "welled")):
        lost = set(getattr(before.covariates, term)) - set(getattr(design.covariates, term))
        bands = [band for band in slopes.get(column, ()) if band in lost]
        if bands:
            raise InputError(
                f"{source}: has rows in {bands[0]} without {column}, on which the factor there "
                "depends in the run's card; give the column, or leave these rows out."
            )


@dataclass(frozen=True)
class Cells:
    """What watched rows share with others: star, band, readout, and a visit that the run has.

    Attributes
    ----------
    of_row : (row,) int array
        Cell of each watched row.
    example : (cell,) int array
        Place in the design of a row of each cell.
    old_visit : (cell,) bool array
        Whether the visit is one of the run's.
    """

    of_row: NDArray[np.intp]
    example: NDArray[np.intp]
    old_visit: NDArray[np.bool_]


def cells_of(design: Design, old: int, rows: NDArray[np.intp], again: NDArray[np.bool_]) -> Cells:
    """Return the cells of rows.

    Parameters
    ----------
    design : Design
        Rows of the run and others.
    old : int
        How many are the run's.
    rows : (row,) int array
        Places in the design.
    again : (row,) bool array
        Which stand for like ones in visits of their own, as if observed another time.
    """
    visits = np.asarray(design.visit)
    known = np.isin(visits[rows], visits[:old]) & ~again
    keys = np.stack(
        [
            *(np.asarray(getattr(design, name))[rows] for name in ("star", "band", "subarray")),
            np.where(known, visits[rows], -1),
        ]
    )
    _, first, of_row = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    return Cells(of_row.ravel(), rows[first], known[first])


def draws_looked_at(posterior: xr.DataTree, draws: int) -> NDArray[np.intp]:
    """Return which draws of a posterior are looked at, evenly spread."""
    sizes = posterior["posterior"].sizes
    total = sizes["chain"] * sizes["draw"]
    return np.unique(np.linspace(0, total - 1, min(draws, total)).astype(int))


def names_of(indices: NDArray[np.integer], names: Sequence[str]) -> list[str]:
    """Return the names that indices stand for."""
    return [names[int(i)] for i in indices]
