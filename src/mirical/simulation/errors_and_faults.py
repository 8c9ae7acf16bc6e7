"""Errors and faults of simulated rows: those the model knows, and those it does not.

All are shifts of ln C, so positive means predicted too bright, or measured too faint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.dust import dust_over_star
from mirical.instruments.instrument import Instrument
from mirical.instruments.miri import miri
from mirical.randomness import generator
from mirical.simulation.truth import smooth_in_wavelength

Floats = NDArray[np.float64]

DUSTY_STAR = "HD 180609"
DUST_TEMPERATURE = 128.0
"""Kelvin: makes an excess that is 25 % at F2550W 2 % at F1500W (the star is in its
Rayleigh-Jeans tail, so the excess goes as lambda^-1 / (exp(hc / lambda k T) - 1))."""


TYPE_LENGTH = 0.7
"""Correlation length in ln(micron) of what a type of star shares about its gray error."""


RATE_PIVOT = 300.0
"""Count rate of the central pixel, DN/s, at which a slope with it is no change."""
REDUCED_ANEW = 60000.0
"""MJD before which rows are of an earlier reduction, if reductions differ."""
REDUCTIONS = "1.13", "1.14"
"""What they are called."""


@dataclass(frozen=True)
class Errors:
    """Spreads of the errors every program has and the model knows.

    Attributes
    ----------
    star_offset : float
        Gray error of a star's predicted flux, fraction (Bohlin et al. 2014: about 2 %).
    type_offset : float
        Error common to a type of star, fraction (Fig. 7: types agree within a percent).
    colour : float
        Error of a star's flux in one band, smooth in wavelength, fraction
        (mid-infrared colours of vetted standards are good to better than a percent).
    visit : float
        What the bands of one visit share, fraction (monthly F770W scatter is 0.2 %).
    repeatability : float
        Multiple of each band's true repeatability; 1 scatters the rows by it, 0 not at all.
    photometry : float
        Multiple of each row's ``ifluxunc``, likewise.
    type_band : float
        Error common to a type of star about its gray one, smooth in wavelength, fraction
        (Bohlin et al. 2022: one to three percent).
    flux_scale : float
        Error common to all stars and bands, fraction (Rieke et al. 2023: 0.6 %).
    """

    star_offset: float = 0.02
    type_offset: float = 0.005
    colour: float = 0.007
    visit: float = 0.0025
    repeatability: float = 1.0
    photometry: float = 1.0
    type_band: float = 0.0
    flux_scale: float = 0.0


@dataclass(frozen=True)
class Faults:
    """What goes wrong in a program beyond the errors; zero switches a fault off.

    Attributes
    ----------
    debris_disk : float
        Excess of HD 180609 at F2550W, fraction of the star; a twelfth of it is left at
        F1500W, as with dust of `DUST_TEMPERATURE` (section 3.2 found the disk).
    deviant_rows : float
        Rate of rows 5 to 30 % faint, fraction of rows (one of Table 5's 31 is 28 % faint).
    off_visit : float
        Loss of one visit in all its bands, fraction (a guiding failure that passed).
    step : float
        Change of ln C in all bands from `step_mjd` on, fraction (an anneal, a new flat field).
    step_mjd : float
        Its date, MJD in days.
    fnd_rate_slope : float
        Change of ln C in FND with a decade of the central pixel's count rate, fraction.
    reduction : float
        Spread of the offsets in ln C, by subarray, of the rows before `REDUCED_ANEW`: of another
        version of the pipeline.
    subarray_by_band : float
        Spread of ln D between bands about a subarray's own D, fraction (the
        dedicated sequences of section 3.3 disagree by up to 4 %, most by less than 1 %).
    """

    debris_disk: float = 0.25
    deviant_rows: float = 0.01
    off_visit: float = 0.02
    subarray_by_band: float = 0.007
    step: float = 0.0
    step_mjd: float = 60100.0
    fnd_rate_slope: float = 0.0
    reduction: float = 0.0


NO_ERRORS = Errors(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
NO_FAULTS = Faults(0.0, 0.0, 0.0, 0.0)

_FAINTEST, _LEAST = 0.30, 0.05  # range of a deviant row's missing flux, fraction


@dataclass(frozen=True)
class Disturbances:
    """The shifts of ln C that were drawn for one program.

    Attributes
    ----------
    flux_scale : float
        Common to all rows.
    type_offset : dict of {str : float}
        By star type.
    type_band_offset : dict of {(str, str) : float}
        By star type and band.
    star_offset : dict of {str : float}
        By star, that of its type included.
    star_band_offset : dict of {(str, str) : float}
        By star and band, a debris disk included.
    debris_disk : dict of {str : float}
        Excess of `DUSTY_STAR` by band, fraction of the star.
    visit_offset : dict of {str : float}
        By visit as ``"STAR VISIT"``, a faulty visit's loss included.
    off_visit : str or None
        The faulty visit.
    reduction_offset : dict of {str : float}
        By subarray, of rows of the earlier reduction; empty if there is one alone.
    deviant : (row,) array
        Missing fraction of the flux of each row; 0 for rows that are no outliers.
    """

    flux_scale: float
    type_offset: dict[str, float]
    type_band_offset: dict[tuple[str, str], float]
    star_offset: dict[str, float]
    star_band_offset: dict[tuple[str, str], float]
    debris_disk: dict[str, float]
    visit_offset: dict[str, float]
    off_visit: str | None
    reduction_offset: dict[str, float]
    deviant: Floats

    def shifts(self, rows: QTable) -> Floats:
        """Return the sum of all shifts for each row of the program."""
        star = [self.star_offset[name] for name in rows["name"]]
        of_types = zip(rows["srctype"], rows["filter"], strict=True)
        kind = [self.type_band_offset[pair] for pair in of_types]
        pairs = zip(rows["name"], rows["filter"], strict=True)
        colour = [self.star_band_offset[pair] for pair in pairs]
        visit = [self.visit_offset[name] for name in visit_names(rows)]
        common = self.flux_scale - np.log1p(-self.deviant) + self._reductions(rows)
        return np.array(star) + np.array(kind) + np.array(colour) + np.array(visit) + common

    def _reductions(self, rows: QTable) -> Floats:
        """Return the offset of each row's reduction."""
        before = rows["time"].to_value("d") < REDUCED_ANEW
        of = [self.reduction_offset.get(str(a), 0.0) for a in rows["subarray"]]
        return np.where(before, of, 0.0)


def draw_disturbances(
    rows: QTable,
    seed: int,
    errors: Errors,
    faults: Faults,
    instrument: Instrument,
    types: Mapping[str, str],
) -> Disturbances:
    """Draw the disturbances of a program; each kind from a generator of its own.

    Parameters
    ----------
    rows : QTable
        As `observing_program` makes them.
    seed : int
        Seed of the simulation.
    errors, faults : Errors, Faults
        How large each kind is; a debris disk or reductions are those of MIRI's program alone.
    instrument : Instrument
        Whose program it is.
    types : mapping of {str : str}
        Type of each of its stars.
    """
    kinds = instrument.types
    gray = errors.type_offset * generator(seed, "type offsets").standard_normal(len(kinds))
    type_offset = dict(zip(kinds, gray.tolist(), strict=True))
    by_type = errors.type_band * smooth_in_wavelength(
        generator(seed, "type colours"), len(kinds), instrument, TYPE_LENGTH
    )
    stars = errors.star_offset * generator(seed, "star offsets").standard_normal(len(types))
    star_offset = {
        star: type_offset[kind] + float(own)
        for (star, kind), own in zip(types.items(), stars, strict=True)
    }
    disk = dust_excess(faults.debris_disk) if faults.debris_disk else {}
    visit_offset, off_visit = _visit_offsets(rows, seed, errors.visit, faults.off_visit)
    return Disturbances(
        flux_scale=errors.flux_scale * float(generator(seed, "flux scale").standard_normal()),
        type_offset=type_offset,
        type_band_offset={
            (kind, band): float(by_type[i, j])
            for i, kind in enumerate(kinds)
            for j, band in enumerate(instrument.bands)
        },
        star_offset=star_offset,
        star_band_offset=_star_band_offsets(seed, errors.colour, disk, instrument, types),
        debris_disk=disk,
        visit_offset=visit_offset,
        off_visit=off_visit,
        reduction_offset=_reduction_offsets(seed, faults.reduction),
        deviant=_deviant_rows(len(rows), seed, faults.deviant_rows),
    )


def dust_excess(at_reddest: float) -> dict[str, float]:
    """Return the excess of `DUSTY_STAR` by band, as a fraction of the star.

    Parameters
    ----------
    at_reddest : float
        The excess at F2550W.
    """
    pivots = np.array([band.pivot for band in miri().bands.values()])
    shape = dust_over_star(pivots, DUST_TEMPERATURE)
    return dict(zip(miri().bands, (at_reddest * shape / shape[-1]).tolist(), strict=True))


def visit_names(rows: QTable) -> list[str]:
    """Return each row's visit as the photometry reader names it: star and visit id."""
    return [f"{name} {visit}" for name, visit in zip(rows["name"], rows["visit"], strict=True)]


def _star_band_offsets(
    seed: int,
    spread: float,
    disk: dict[str, float],
    instrument: Instrument,
    stars: Iterable[str],
) -> dict[tuple[str, str], float]:
    names = list(stars)
    random = generator(seed, "colour offsets")
    drawn = spread * smooth_in_wavelength(random, len(names), instrument)
    offsets = {
        (star, band): float(drawn[i, j])
        for i, star in enumerate(names)
        for j, band in enumerate(instrument.bands)
    }
    for band, excess in disk.items():
        offsets[DUSTY_STAR, band] -= float(np.log1p(excess))
    return offsets


def _visit_offsets(
    rows: QTable, seed: int, spread: float, loss: float
) -> tuple[dict[str, float], str | None]:
    names = list(dict.fromkeys(visit_names(rows)))
    drawn = spread * generator(seed, "visit offsets").standard_normal(len(names))
    offsets = dict(zip(names, drawn.tolist(), strict=True))
    faulty = str(generator(seed, "off visit").choice(names))
    if loss == 0:
        return offsets, None
    offsets[faulty] -= float(np.log1p(-loss))
    return offsets, faulty


def _reduction_offsets(seed: int, spread: float) -> dict[str, float]:
    if spread == 0:
        return {}
    drawn = spread * generator(seed, "reductions").standard_normal(len(miri().subarrays))
    return dict(zip(miri().subarrays, drawn.tolist(), strict=True))


def _deviant_rows(n: int, seed: int, rate: float) -> Floats:
    random = generator(seed, "deviant rows")
    chosen = random.uniform(size=n) < rate
    return np.where(chosen, random.uniform(_LEAST, _FAINTEST, n), 0.0)
