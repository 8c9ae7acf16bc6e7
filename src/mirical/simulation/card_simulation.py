"""A simulated program of any instrument: stars, rows, truth and errors from its card alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.conventions import FLUX
from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.instruments.published import published_coefficients, published_throughput
from mirical.number_text import floats
from mirical.randomness import generator
from mirical.simulation.card_program import card_program
from mirical.simulation.card_stars import CardStars, card_stars
from mirical.simulation.effects import card_effects
from mirical.simulation.errors_and_faults import draw_disturbances
from mirical.simulation.simulated_program import SimulatedProgram, row_noise
from mirical.simulation.truth import (
    LOSS_DEPARTURE,
    TAU_BAND_SPREAD,
    TAU_SPREAD,
    Coefficients,
    smooth_in_wavelength,
    with_departures,
)
from mirical.simulation.truth_table import truth_table
from mirical.tables.apertures import published_apertures
from mirical.tables.columns import columns

Floats = NDArray[np.float64]

FACTOR_SPREAD = 0.3
"""Of ln A about one in the card's unit: bands of one camera differ by tens of percent."""
LOSS, LOSS_SPREAD = 0.03, 0.3
"""Median of ln[A / C(t0)], the loss of response since t0, and the spread of its logarithm."""
TAU = 200.0
"""Median of the time constant of the loss, days: a year or two show it settle."""
THROUGHPUT_SPREAD = 0.02
"""Of ln D of a fitted readout: subarrays, detectors and cycles differ by percents."""
REPEATABILITY, REPEATABILITY_SPREAD = 0.003, 0.3
"""Median scatter of one observation, natural logarithm, and the spread of its logarithm."""
SIGNAL_TO_NOISE, ERROR_SCATTER = 300.0, 0.2
"""Of a row, and the scatter of its logarithm."""


def simulate_card(
    instrument: Instrument, seed: int, truth: str | None = None, effects: Sequence[str] = ()
) -> SimulatedProgram:
    """Simulate a program of an instrument from its card alone.

    Parameters
    ----------
    instrument : Instrument
        Whose card.
    seed : int
        Fixes every random number; what one effect draws depends on nothing else.
    truth : {"published", "perturbed"}, optional
        The card's published coefficients as the true ones, or such as are drawn. By default
        published ones, where the card states them.
    effects : sequence of str
        Sizes of errors and faults that are not as usual, ``NAME=NUMBER``.

    Raises
    ------
    InputError
        If the card states no published coefficients, and they are asked for, or lacks those of a
        band; or an effect is unknown, or one that the program cannot have.
    """
    if truth is None:
        truth = "perturbed" if instrument.published is None else "published"
    errors, faults = card_effects(effects, instrument)
    stars = card_stars(instrument)
    rows = card_program(instrument, stars, seed)
    if faults.step and not rows["time"].value.min() < faults.step_mjd < rows["time"].value.max():
        raise InputError(
            f"simulate: step_mjd={faults.step_mjd:g} is not within the program, MJD "
            f"{rows['time'].value.min():.0f} to {rows['time'].value.max():.0f}; state one that is."
        )
    regular = _published(instrument) if truth == "published" else _drawn(instrument, seed)
    coefficients = with_departures(regular, seed, faults.subarray_by_band)
    drawn = draw_disturbances(rows, seed, errors, faults, instrument, stars.types)
    scatter = generator(seed, "photometric errors").standard_normal(len(rows))
    fraction = np.exp(ERROR_SCATTER * scatter) / SIGNAL_TO_NOISE
    noise = row_noise(rows, coefficients, fraction, seed, errors)
    step = np.where(rows["time"].value >= faults.step_mjd, faults.step, 0.0)
    bands, readouts = list(map(str, rows["filter"])), list(map(str, rows["subarray"]))
    factor = coefficients.factor(bands, readouts, rows["time"].to_value("d"))
    factor *= np.exp(drawn.shifts(rows) + noise + step)
    photometry = _photometry(rows, factor, fraction, stars, instrument)
    known = {"simulated": True, "instrument": instrument.name, "seed": seed, "truth": truth}
    photometry.meta |= {"title": f"SIMULATED photometry of standard stars, {instrument.name}"}
    photometry.meta |= known | {"origin": _origin(instrument, stars)}
    table = truth_table(rows, coefficients, drawn, faults)
    table.meta |= {"title": "SIMULATED: true values behind a simulated photometry table"} | known
    table.meta |= {"errors": asdict(errors), "faults": asdict(faults)}
    return SimulatedProgram(photometry, table, coefficients)


def _origin(instrument: Instrument, stars: CardStars) -> str:
    of_stars = (
        "stars and fluxes are invented"
        if stars.invented
        else f"stars and fluxes of {instrument.predicted_fluxes}"
    )
    return f"mirical simulate: an invented program for the card of {instrument.name}; {of_stars}"


def _drawn(instrument: Instrument, seed: int) -> Coefficients:
    """Return coefficients as the terms of a model of any imager have them."""
    random = generator(seed, "coefficients")
    n, m = len(instrument.bands), len(instrument.subarrays)
    a = np.exp(FACTOR_SPREAD * random.standard_normal(n))
    smooth = LOSS_SPREAD * smooth_in_wavelength(random, 1, instrument)[0]
    loss = np.abs(LOSS * np.exp(smooth) + LOSS_DEPARTURE * random.standard_normal(n))
    shift = TAU_SPREAD * random.standard_normal() + TAU_BAND_SPREAD * random.standard_normal(n)
    repeatability = REPEATABILITY * np.exp(REPEATABILITY_SPREAD * random.standard_normal(n))
    d = np.exp(np.append(0.0, THROUGHPUT_SPREAD * random.standard_normal(m - 1)))
    return Coefficients(
        A=a,
        B=a * np.expm1(-loss),
        tau=TAU * np.exp(shift),
        repeatability=repeatability,
        D=d,
        D_band=np.tile(d, (n, 1)),
        instrument=instrument,
    )


def _published(instrument: Instrument) -> Coefficients:
    """Return the published coefficients of the card; the usual repeatability where none is."""
    if instrument.published is None:
        raise InputError(
            f"simulate: --truth published: the card of {instrument.name} states no published "
            "coefficients; leave the option out, or give perturbed."
        )
    table, d = published_coefficients(instrument), published_throughput(instrument)
    at = {str(name): i for i, name in enumerate(table["filter"])}
    for what, names, known in (
        ("band", instrument.bands, at),
        ("readout", instrument.subarrays, d),
    ):
        lacking = [name for name in names if name not in known]
        if lacking:
            raise InputError(
                f"simulate: --truth published: nothing is published of {what} "
                f"{', '.join(lacking)}; give perturbed."
            )
    rows = table[[at[band] for band in instrument.bands]]
    unit, printed = instrument.factor_unit, floats(rows["sigma_repeat_pct"], u.percent) / 100
    throughput = np.array([d[name] for name in instrument.subarrays])
    return Coefficients(
        A=floats(rows["A"], unit),
        B=floats(rows["B"], unit),
        tau=floats(rows["tau"], u.d),
        repeatability=np.where(np.isfinite(printed), printed, REPEATABILITY),
        D=throughput,
        D_band=np.tile(throughput, (len(instrument.bands), 1)),
        instrument=instrument,
    )


def _photometry(
    rows: QTable, factor: Floats, fraction: Floats, stars: CardStars, instrument: Instrument
) -> QTable:
    """Return the columns of the contract; count rates by Eq. 3 solved for them."""
    bands = list(map(str, rows["filter"]))
    apertures = published_apertures(instrument)
    corrections = np.array([apertures[band].correction for band in bands])
    pairs = zip(map(str, rows["name"]), bands, strict=True)
    fluxes = np.array([stars.fluxes[pair] for pair in pairs]) * FLUX
    rate = fluxes / instrument.fluxes_per_rate(factor, corrections, bands)
    table = rows["name", "PID", "srctype", "filter", "subarray", "time"]
    table["iflux"] = rate.to(instrument.count_rate)
    table["ifluxunc"] = fraction * table["iflux"]
    table["model_flux"] = fluxes
    table["visit"] = rows["visit"]
    for name in table.colnames:
        table[name].info.description = columns(instrument)[name].description
    return table
