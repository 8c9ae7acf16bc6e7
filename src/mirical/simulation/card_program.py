"""Observing program for an instrument of which nothing but its card is known.

Over two years from the reference epoch (or launch or t0, if later) every star is observed once in
all its bands, one star every month, and some visits observe bands in every other readout back to
back with their usual one, as throughputs are measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.randomness import generator
from mirical.simulation.card_stars import CardStars
from mirical.simulation.observing_program import EXPOSURE_SPACING, Visit

LENGTH = 730.0
"""Days from the first visit to the last."""

LATEST = 69000.0
"""MJD by which it must begin: tables of photometry end at 70000."""

MONTHS = 25
"""Visits of the star that is observed every month."""

BANDS_A_MONTH = 8
"""Bands in one of them; of an instrument with more, the next ones have the next month."""

SEQUENCES = 6
"""Visits that observe the other readouts."""

BANDS_OF_SEQUENCE = 4
"""Bands of one of them in each readout; the next visit has the next ones."""

_JITTER = 3.0  # days: how far the scheduler moves a regular visit


def usual_readout(instrument: Instrument, band: str) -> str:
    """Return the readout a band is mostly observed in, where D = 1.

    That is its mask; or a readout of unit throughput that the card states for this band and few
    others (a detector that alone sees it); or else the reference.
    """
    if instrument.bands[band].mask is not None:
        return str(instrument.bands[band].mask)
    own = [
        one.name
        for one in instrument.readouts_stated
        if one.name in instrument.unit_subarrays and band in (one.bands or ())
    ]
    return own[0] if own else instrument.reference


def other_readouts(instrument: Instrument, band: str) -> list[str]:
    """Return the readouts that a band is observed in now and then."""
    if instrument.bands[band].mask is not None:
        return []
    usual = usual_readout(instrument, band)
    # Where a detector alone sees a band, the reference is one that does not.
    left_out = {usual, instrument.reference, *instrument.assumed}
    return [name for name in instrument.readouts(band) if name not in left_out]


def card_program(instrument: Instrument, stars: CardStars, seed: int) -> QTable:
    """Return the exposures of a program.

    Parameters
    ----------
    instrument : Instrument
        Whose bands and readouts.
    stars : CardStars
        Its stars.
    seed : int
        Fixes when each visit is.

    Returns
    -------
    QTable
        One row an exposure: ``name``, ``PID``, ``srctype``, ``filter``, ``subarray``, ``time``
        [d, MJD], ``visit``.

    Raises
    ------
    InputError
        If the card's epochs leave no room for two years.
    """
    begin = max(instrument.reference_mjd, instrument.launch_mjd, instrument.t0)
    if begin > LATEST:
        raise InputError(
            f"simulate: the card of {instrument.name} has its epochs after MJD {LATEST:.0f}, so "
            "that no program of two years fits in; state reference_mjd, launch_mjd and t0 before."
        )
    random = generator(seed, "epochs")
    numbers = dict.fromkeys(stars.types, 0)
    records = []
    for star, visit in _visits(instrument, stars, begin, random):
        numbers[star] += 1
        for k, (readout, band) in enumerate(visit.exposures):
            time = visit.epoch + k * EXPOSURE_SPACING
            kind, of_star = stars.types[star], f"1-{numbers[star]:02d}"
            records.append((star, "1", kind, band, readout, time, of_star))
    names = ("name", "PID", "srctype", "filter", "subarray", "time", "visit")
    return QTable(rows=records, names=names, units={"time": u.d})


def _visits(
    instrument: Instrument, stars: CardStars, begin: float, random: np.random.Generator
) -> Iterator[tuple[str, Visit]]:
    usual = {band: usual_readout(instrument, band) for band in instrument.bands}
    # Monthly: the star that has most bands; the first visit is at the very beginning.
    monthly = max(stars.types, key=lambda star: len(stars.bands(star, instrument)))
    turn = cycle(stars.bands(monthly, instrument))
    n = min(BANDS_A_MONTH, len(stars.bands(monthly, instrument)))
    for month, epoch in enumerate(np.linspace(begin, begin + LENGTH, MONTHS)):
        moved = epoch + (random.uniform(0, _JITTER) if month else 0.0)
        yield monthly, Visit(float(moved), [(usual[band], band) for band in islice(turn, n)])
    for star in stars.types:
        epoch = random.uniform(begin, begin + LENGTH)
        exposures = [(usual[band], band) for band in stars.bands(star, instrument)]
        yield star, Visit(float(epoch), exposures)
    others = {band: other_readouts(instrument, band) for band in instrument.bands}
    for epoch, star in zip(
        begin + LENGTH * (np.arange(SEQUENCES) + 0.5) / SEQUENCES, cycle(stars.types), strict=False
    ):
        exposures = list(_sequence(stars.bands(star, instrument), usual, others, random))
        if exposures:
            yield star, Visit(float(epoch), exposures)


def _sequence(
    bands: list[str],
    usual: dict[str, str],
    others: dict[str, list[str]],
    random: np.random.Generator,
) -> Iterator[tuple[str, str]]:
    """Yield a visit's exposures: some bands in each other readout, each in its usual one first."""
    readouts = dict.fromkeys(name for band in bands for name in others[band])
    drawn: dict[str, list[str]] = {}
    for readout in readouts:
        able = [band for band in bands if readout in others[band]]
        # Readouts of the same bands share a choice, so that one usual exposure serves them all.
        key = " ".join(able)
        if key not in drawn:
            n = min(BANDS_OF_SEQUENCE, len(able))
            drawn[key] = [able[i] for i in sorted(random.choice(len(able), n, replace=False))]
    chosen = {name: drawn[" ".join(b for b in bands if name in others[b])] for name in readouts}
    for band in dict.fromkeys(band for of in chosen.values() for band in of):
        yield usual[band], band
    for readout, of in chosen.items():
        for band in of:
            yield readout, band
