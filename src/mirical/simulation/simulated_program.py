"""A simulated program as a photometry table: truth, errors and faults."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table
from numpy.typing import NDArray

from mirical.conventions import FLUX
from mirical.errors import InputError, did_you_mean
from mirical.instruments.miri import miri
from mirical.laws.timelaw import ADDITIVE, LAWS
from mirical.randomness import generator
from mirical.simulation.errors_and_faults import (
    RATE_PIVOT,
    REDUCED_ANEW,
    REDUCTIONS,
    Errors,
    Faults,
    draw_disturbances,
)
from mirical.simulation.exposures import Exposures, plan_exposures
from mirical.simulation.observing_program import observing_program
from mirical.simulation.truth import (
    Coefficients,
    perturbed_coefficients,
    published_coefficients,
    with_departures,
    with_law,
)
from mirical.simulation.truth_table import truth_table
from mirical.stars import STARS
from mirical.storage.files import whole_folder
from mirical.tables.apertures import published_apertures
from mirical.tables.columns import columns
from mirical.tables.formats import write_ecsv
from mirical.tables.predicted_fluxes import by_star_band, shipped_fluxes

Floats = NDArray[np.float64]

_ITERATIONS = 5  # of a rate changed by itself, each smaller than the one before by the slope

TRUTHS = ("published", "perturbed")

INVENTED_FLUXES: dict[str, tuple[str, float]] = {
    "C26202": ("P330-E", 0.036),
    "SNAP-2": ("P330-E", 0.054),
}
"""Solar analogs without a CALSPEC spectrum: another solar analog and the share of its flux.

Invented: 10^(-0.4 dV) for V = 16.64 and 16.2 against 13.03, the same colours assumed.
"""


@dataclass(frozen=True)
class SimulatedProgram:
    """What a simulation gives away and what it keeps.

    Attributes
    ----------
    photometry : QTable
        Rows as an observer has them, columns of Table 5; says of itself that it is simulated.
    truth : Table
        Long form: quantity, filter, subarray, name, value, unit.
    coefficients : Coefficients
        The true calibration, as arrays.
    """

    photometry: QTable
    truth: Table
    coefficients: Coefficients

    def save(self, folder: str | Path) -> None:
        """Write ``photometry.ecsv`` and ``truth.ecsv`` into a folder; see `write_program`."""
        write_program(self, Path(folder))


def simulate_program(
    seed: int,
    truth: str = "published",
    faults: Faults | None = None,
    errors: Errors | None = None,
    law: str = ADDITIVE,
) -> SimulatedProgram:
    """Simulate the whole program of Tables 1-3.

    The count rate of a row is Eq. 3 solved for it, N = F / (C A_cor Omega_pix),
    with ln C shifted by what disturbs the row; F is the predicted flux, that
    of C26202 and SNAP-2 invented (`INVENTED_FLUXES`).

    Parameters
    ----------
    seed : int
        Fixes every random number; what one effect draws depends on nothing else.
    truth : {"published", "perturbed"}
        Tables 7-8 as the true calibration, or coefficients drawn about them.
    faults : Faults, optional
        What the model does not know; all of it by default.
    errors : Errors, optional
        Sizes of what it does know.
    law : str
        True time law, one of `mirical.laws.timelaw.LAWS`; the paper's by default.

    Raises
    ------
    InputError
        If the seed is negative, or `truth` or `law` is unknown.
    """
    if law not in LAWS:
        raise InputError(f"simulate: law {law!r} is unknown{did_you_mean(law, LAWS)}")
    faults, errors = faults or Faults(), errors or Errors()
    rows = observing_program(seed)
    regular = with_law(_coefficients(truth, seed), seed, law)
    coefficients = with_departures(regular, seed, faults.subarray_by_band)
    fluxes = _predicted(rows)
    types = {star.name: star.srctype for star in STARS.values()}
    drawn = draw_disturbances(rows, seed, errors, faults, miri(), types)
    # Planned without faults, so that one switched off changes no other number.
    planned = _count_rate(fluxes, _factors(regular, rows), rows)
    exposures = plan_exposures(rows, planned, _factors(regular, rows), seed)
    noise = row_noise(rows, coefficients, exposures.ifluxunc / planned, seed, errors)
    factor = _factors(coefficients, rows) * np.exp(drawn.shifts(rows) + noise)
    factor *= np.exp(_detector(rows, faults, _count_rate(fluxes, factor, rows), exposures))
    photometry = _photometry(rows, _count_rate(fluxes, factor, rows), exposures, fluxes)
    known = {"simulated": True, "seed": seed, "truth": truth}
    known |= {} if law == ADDITIVE else {"law": law}
    if faults.reduction:
        earlier = rows["time"].to_value("d") < REDUCED_ANEW
        photometry["reduction"] = np.where(earlier, *REDUCTIONS)
    photometry.meta |= {"title": "SIMULATED photometry of standard stars"} | known
    photometry.meta["origin"] = (
        "mirical simulate: stars, subarrays and bands of Gordon et al. 2025, Tables 1-3 (repaired "
        "rows included); model fluxes of C26202 and SNAP-2 are invented (P330-E scaled)"
    )
    table = truth_table(rows, coefficients, drawn, faults)
    table.meta |= {"title": "SIMULATED: true values behind a simulated photometry table"} | known
    table.meta |= {"errors": asdict(errors), "faults": asdict(faults)}
    return SimulatedProgram(photometry, table, coefficients)


def write_program(program: SimulatedProgram, folder: Path) -> None:
    """Write ``photometry.ecsv`` and ``truth.ecsv``, both or neither.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with whole_folder(folder) as beside:
        write_ecsv(program.photometry, beside / "photometry.ecsv")
        write_ecsv(program.truth, beside / "truth.ecsv")


def _coefficients(truth: str, seed: int) -> Coefficients:
    if truth not in TRUTHS:
        raise InputError(f"simulate: truth {truth!r} is unknown{did_you_mean(truth, TRUTHS)}")
    return published_coefficients() if truth == "published" else perturbed_coefficients(seed)


def _predicted(rows: QTable) -> Floats:
    """Return the predicted flux of each row in mJy."""
    known = by_star_band(shipped_fluxes(miri()))
    for star, (like, share) in INVENTED_FLUXES.items():
        known |= {(star, band): round(share * known[like, band], 6) for band in miri().bands}
    pairs = zip(rows["name"], rows["filter"], strict=True)
    return np.array([known[str(name), str(band)] for name, band in pairs])


def _factors(coefficients: Coefficients, rows: QTable) -> Floats:
    bands, subarrays = list(map(str, rows["filter"])), list(map(str, rows["subarray"]))
    return coefficients.factor(bands, subarrays, rows["time"].to_value("d"))


def _count_rate(fluxes: Floats, factors: Floats, rows: QTable) -> Floats:
    """Solve Eq. 3 for the count rate in the aperture, DN/s."""
    corrections = np.array(
        [published_apertures(miri())[band].correction for band in rows["filter"]]
    )
    unit = miri().factor_unit * miri().pixel_solid_angle
    rate = (fluxes * FLUX) / (factors * corrections * unit)
    return rate.to_value("DN pix-1 s-1")


def _detector(rows: QTable, faults: Faults, rate: Floats, exposures: Exposures) -> Floats:
    """Return the effect on ln C of a step, and of a slope with the count rate without it."""
    effect = np.where(rows["time"].to_value("d") >= faults.step_mjd, faults.step, 0.0)
    fnd = np.asarray(rows["filter"]) == "FND"
    slope = np.where(fnd, faults.fnd_rate_slope, 0.0)
    central = exposures.central_share * rate * np.exp(-effect) + exposures.ibkg
    # The rate that is seen is itself changed by the slope: s log10(r / pivot) with that rate.
    for _ in range(_ITERATIONS):
        by_rate = slope * np.log10(central / RATE_PIVOT)
        central = exposures.central_share * rate * np.exp(-effect - by_rate) + exposures.ibkg
    return effect + slope * np.log10(central / RATE_PIVOT)


def row_noise(
    rows: QTable, coefficients: Coefficients, fraction: Floats, seed: int, errors: Errors
) -> Floats:
    """Return each row's own scatter of ln C: repeatability and error of the photometry."""
    bands = coefficients.instrument.bands
    by_band = dict(zip(bands, coefficients.repeatability, strict=True))
    sigma = errors.repeatability * np.array([by_band[str(band)] for band in rows["filter"]])
    repeat = generator(seed, "repeatability").standard_normal(len(rows))
    photometry = generator(seed, "photometry").standard_normal(len(rows))
    return sigma * repeat + errors.photometry * fraction * photometry


def _photometry(rows: QTable, rate: Floats, exposures: Exposures, fluxes: Floats) -> QTable:
    """Return the columns of Table 5 that do not presuppose a calibration, and the model flux."""
    table = rows["name", "PID", "srctype", "filter", "subarray", "time"]
    central = exposures.central_share * rate + exposures.ibkg
    unit = miri().count_rate
    table["pixrate"] = central * unit
    table["pixwelldepth"] = central * exposures.inttime * u.DN
    table["inttime"] = exposures.inttime * u.s
    table["iflux"], table["ifluxunc"] = (
        rate * unit,
        exposures.ifluxunc * unit,
    )
    table["ibkg"] = exposures.ibkg * unit / u.pix
    table["model_flux"] = fluxes * FLUX
    table["visit"] = rows["visit"]
    for name in table.colnames:
        table[name].info.description = columns(miri())[name].description
    return table
