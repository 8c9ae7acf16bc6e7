"""A run with new rows added, ready to be fitted."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mirical.calibration.manifest import MANIFEST
from mirical.calibration.store import StoredRun
from mirical.cards.card import Card
from mirical.conventions import SIMULATED
from mirical.errors import InputError
from mirical.jobs.inputs import Inputs, resolve_job
from mirical.jobs.job import Job
from mirical.model.covariates import Covariates
from mirical.model.design import Design
from mirical.reporting.run_folder import PHOTOMETRY
from mirical.tables.added_rows import AddedRows, added_rows
from mirical.tables.apertures import KEY, refuse_other_apertures
from mirical.tables.formats import write_ecsv
from mirical.tables.photometry import Observations
from mirical.weighting.assimilation import MOST_ROWS

_SAME = 1e-9  # of what a row that both have is fitted to


@dataclass(frozen=True)
class Update:
    """A run with rows added, ready to be fitted.

    Attributes
    ----------
    parent : StoredRun
        The run.
    before : Inputs
        What the run fitted.
    job, inputs : Job, Inputs
        The same with the rows added.
    added : AddedRows
        Which they are.
    content : bytes
        All rows as a file.
    origin : dict
        Provenance.
    """

    parent: StoredRun
    before: Inputs
    job: Job
    inputs: Inputs
    added: AddedRows
    content: bytes
    origin: dict[str, str | int | float]

    @property
    def seed(self) -> int:
        """Seed of an update by weights or in batches; successive updates have different ones."""
        told = self.job.sampler.seed, self.origin["parent_sha256"], self.origin["new_rows_sha256"]
        return int.from_bytes(hashlib.sha256(repr(told).encode()).digest()[:4], "big")


def prepare_update(
    parent: StoredRun, job: Job, before: Inputs, new: Observations, seed: int | None = None
) -> Update | None:
    """Put new rows behind those of a run; None if the run has them all.

    Parameters
    ----------
    parent, job, before : StoredRun, Job, Inputs
        The run, as its folder holds it.
    new : Observations
        The new rows.
    seed : int, optional
        In place of the run's.

    Raises
    ------
    InputError
        If a row is changed, was measured in other apertures, or cannot be fitted beside the run's.
    """
    refuse_other_apertures(new.source, new.measured_in, before.factors.apertures)
    observations = before.factors.observations
    added = added_rows(observations, new)
    if not added.fresh:
        return None
    name = str(parent.posterior.attrs["job"])
    seed = job.sampler.seed if seed is None else seed
    job = replace(job, name=name, sampler=replace(job.sampler, seed=seed), columns={})
    with TemporaryDirectory() as folder:
        path = Path(folder) / PHOTOMETRY
        write_ecsv(_table(observations, new, added), path)
        content = path.read_bytes()
        # Whatever flux its factors are quoted with, a free star says the same: a flux that the run
        # has stays, so that its rows stay what they are.
        try:
            inputs = resolve_job(
                replace(job, photometry=str(path)), before.factors.nominal_fluxes()
            )
        except InputError as error:
            said = _of_both_tables(str(error), len(observations.table), new, added)
            raise InputError(said) from None
    origin: dict[str, str | int | float] = {
        "parent": parent.folder.resolve().name,
        "parent_sha256": hashlib.sha256((parent.folder / MANIFEST).read_bytes()).hexdigest(),
        "new_rows": new.source,
        "new_rows_sha256": new.data_hash,
    }
    return Update(parent, before, job, inputs, added, content, origin)


def _of_both_tables(said: str, old: int, new: Observations, added: AddedRows) -> str:
    """Return an error message with its row numbers changed to those of the run or the new table."""

    def place(row: re.Match[str]) -> str:
        number = int(row[1])
        if number <= old:
            return f"row {number} of the run"
        return f"row {added.fresh[number - old - 1]} of {new.source}"

    named = re.sub(r"\brow (\d+)", place, said.removeprefix(PHOTOMETRY).lstrip(": "))
    return f"{new.source}, beside the rows of the run: {named}"


def _table(run: Observations, new: Observations, added: AddedRows) -> QTable:
    """Return all rows as a photometry table states them."""
    table = added.merged.copy()
    del table["row"]
    names = zip(table["name"], table["visit"], strict=True)
    table["visit"] = [str(visit).removeprefix(f"{name} ") for name, visit in names]
    if "model_flux_unc" not in new.table.colnames:
        _without_errors(table, len(run.table))
    # A column in which nothing is stated says nothing, and one of errors would ask for more.
    for column in [c for c in table.colnames if isinstance(table[c], u.Quantity)]:
        if not np.any(np.isfinite(table[column].value)):
            del table[column]
    apertures = {**run.measured_in, **new.measured_in}
    meta: dict[str, object] = {}
    if run.simulated or new.simulated:
        meta |= {"title": f"{SIMULATED} photometry of standard stars", "simulated": True}
    if apertures:
        meta[KEY] = {band: list(radii) for band, radii in apertures.items()}
    table.meta = meta
    return table


def _without_errors(table: QTable, old: int) -> None:
    """Let new rows state no error of their predicted fluxes, as the table they are from does.

    Where a column states errors, a blank one is a mistake; those of a star and band count for all.
    """
    unc, flux = table["model_flux_unc"], table["model_flux"]
    of = list(zip(map(str, table["name"]), map(str, table["filter"]), strict=True))
    stated = {one for one, value in zip(of, unc.value, strict=True) if np.isfinite(value)}
    for i in range(old, len(table)):
        if np.isfinite(flux[i]) and of[i] not in stated:
            unc[i] = 0 * flux[i]


def obstacle(update: Update) -> str | None:
    """Return why the draws of a run cannot be weighed by new rows, None if they can."""
    if not update.parent.believable:
        return "the run itself must not be believed"
    before, after = update.before.design, update.inputs.design
    old = len(before.rows)
    bands = [band for band in after.bands if band not in before.bands]
    if bands:
        return f"the run has no rows of {', '.join(bands)}"
    if after.rows[:old] != before.rows or not _alike(before, after):
        return "the new rows change what the run's own rows are taken for"
    if len(after.rows) - old > MOST_ROWS:
        return (
            f"an update takes {MOST_ROWS} new rows at most, and these are {len(after.rows) - old}: "
            "split the table to update twice"
        )
    return _changed_term(before.covariates, after.covariates, update.inputs.card)


def _changed_term(before: Covariates, after: Covariates, card: Card) -> str | None:
    """Return how the new rows change a detector term of the card, None if they change none."""
    slopes = (
        ("rate_slope", "pixrate", before.rated, after.rated),
        ("well_slope", "pixwelldepth", before.welled, after.welled),
    )
    for term, column, was, now in slopes:
        of_term = card.settings[term] if card.has(term) else ()
        lost = [band for band in of_term if band in was and band not in now]
        if lost:
            return f"new rows of {lost[0]} state no {column}, which the card's term {term} needs"
    if card.has("reduction_offset") and before.reductions != after.reductions:
        more = ", ".join(name for name in after.reductions if name not in before.reductions)
        return f"the card's term reduction_offset has no rows of reduction {more} in the run"
    if card.has("time_departure") and before.knots != after.knots:
        return "the card's term time_departure reaches to other dates with the new rows"
    return None


def _alike(before: Design, after: Design) -> bool:
    """Return whether the rows that a run had are the same among others."""
    old, n_stars = len(before.rows), len(before.stars)
    columns = "log_factor", "log_factor_unc", "elapsed", "band", "subarray", "star"
    same = all(
        np.allclose(getattr(after, name)[:old], getattr(before, name), rtol=_SAME, atol=_SAME)
        for name in columns
    )
    place = np.asarray(before.star), np.asarray(before.band)
    stated = (np.asarray(one.flux_unc)[place] for one in (before, after))
    visits = [after.visits[i] for i in after.visit[:old]]
    return (
        same
        and visits == [before.visits[i] for i in before.visit]
        and np.allclose(*stated, rtol=1e-6, atol=0)
        and np.array_equal(after.free[:n_stars], before.free)
    )
