"""What a job resolves to: the card, the rows with their factors, and the design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mirical.cards.card import Card, load_card
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.jobs.job import SHIPPED_FLUXES, Job
from mirical.jobs.sampler import Sampler
from mirical.many.processes import memory
from mirical.model.design import Design, make_design
from mirical.table_files.parts import find_table
from mirical.tables.apertures import load_apertures
from mirical.tables.calibration_factors import CalibrationFactors, calibration_factors
from mirical.tables.photometry import Observations, load_photometry
from mirical.tables.predicted_fluxes import (
    by_star_band,
    read_fluxes,
    shipped_fluxes,
    with_own_stars,
)

_COPIES = 3  # of all draws, while they are gathered and written
_FEWEST = 1000  # draws of a chain that memory must hold where a job asks for a target


@dataclass(frozen=True)
class Inputs:
    """What a job resolves to: the card, the rows with their factors, and the design."""

    card: Card
    factors: CalibrationFactors
    design: Design

    @property
    def instrument(self) -> Instrument:
        """Whose rows they are."""
        return self.factors.observations.instrument


def resolve_job(
    job: Job,
    nominal: Mapping[tuple[str, str], float] | None = None,
    observations: Observations | None = None,
) -> Inputs:
    """Read everything a job names and return what is to be fitted.

    Parameters
    ----------
    job : Job
        The job.
    nominal : mapping of {(star, band) : float}, optional
        Nominal fluxes of stars of unknown flux in mJy that are kept; others are found from the
        rows.
    observations : Observations, optional
        Rows of the job's instrument in place of those it names.

    Raises
    ------
    InputError
        For the first thing in the card or the tables that cannot be used, or if the draws
        asked for do not fit into memory.
    """
    card = load_card(job.model, f"job {job.name}", job.read_instrument(), job.folder)
    factors = job_factors(job, card.has("free_flux"), observations, nominal)
    design = make_design(factors, card)
    _refuse_too_many_draws(job.sampler, design)
    return Inputs(card, factors, design)


def most_draws(sampler: Sampler, design: Design) -> int:
    """Return how many draws of a chain there can be: the sampler's bound, or what memory holds."""
    return int(min(sampler.most_draws, memory() / _bytes_of_a_draw(sampler, design)))


def _bytes_of_a_draw(sampler: Sampler, design: Design) -> float:
    """Return the bytes that one draw of every chain takes in all."""
    rows, bands, subarrays = len(design.rows), len(design.bands), len(design.subarrays)
    stars, visits = len(design.stars), len(design.visits)
    # Fitted, scatter, predicted and two likelihoods of each row; every term and its standard form.
    numbers = 5 * rows + 2 * (bands * (stars + subarrays + 8) + stars + visits)
    return 8.0 * _COPIES * numbers * sampler.chains


def _refuse_too_many_draws(sampler: Sampler, design: Design) -> None:
    """Refuse a sampler whose draws this machine cannot hold, before any work.

    One that asks for a target is refused if it could not even begin: `most_draws` bounds it.
    """
    draws = min(sampler.most_draws, _FEWEST) if sampler.draws is None else sampler.draws
    needed = draws * _bytes_of_a_draw(sampler, design)
    has = memory()
    if needed > has:
        raise InputError(
            f"{sampler.chains} chains of {draws} draws of {len(design.rows)} rows need about "
            f"{needed / 1e9:.0f} GB, and this machine has {has / 1e9:.0f} GB; lower "
            f"{'--draws or ' if sampler.draws else ''}--chains."
        )


def job_factors(
    job: Job,
    free_stars: bool = False,
    observations: Observations | None = None,
    nominal: Mapping[tuple[str, str], float] | None = None,
) -> CalibrationFactors:
    """Read the rows a job names, with their factors; stars of unknown flux are flagged, or free.

    Parameters
    ----------
    job : Job
        The job.
    free_stars : bool
        Whether stars of unknown flux are fitted.
    observations : Observations, optional
        Rows of the job's instrument in place of those it names.
    nominal : mapping of {(star, band) : float}, optional
        As of `resolve_job`.

    Raises
    ------
    InputError
        For the first thing in the tables that cannot be used.
    """
    instrument = job.read_instrument()
    shipped = shipped_fluxes(instrument)
    predicted, errors = by_star_band(shipped), by_star_band(shipped, "model_flux_unc")
    notes: list[str] = []
    if job.predicted_fluxes != SHIPPED_FLUXES:
        path = find_table(job.predicted_fluxes, job.folder)
        own = read_fluxes(path or Path(job.predicted_fluxes), instrument, notes)
        predicted = with_own_stars(own, shipped)
        errors = with_own_stars(own, shipped, "model_flux_unc")
    if observations is None:
        observations = load_photometry(
            job.photometry, instrument, f"job {job.name}", job.folder, job.columns
        )
    apertures = load_apertures(job.apertures, instrument, f"job {job.name}", job.folder, notes)
    observations = replace(observations, notes=(*observations.notes, *notes))
    return calibration_factors(
        observations,
        predicted,
        apertures,
        predicted_unc=errors,
        free_stars=free_stars,
        nominal=nominal,
    )
