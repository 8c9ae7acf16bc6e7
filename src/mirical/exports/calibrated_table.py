"""Calibration of a table of fluxes, with the covariance between them.

The fluxes are count rates of point sources in the standard stars' apertures (``iflux``, Eq. 3), or
fluxes or surface brightnesses that were calibrated before (``flux``), by a factor that the
table states (``photmjsr``) or that another calibration gives; the new factor then takes the old
one's place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from mirical.calibration.calibration import Calibration, simulated
from mirical.calibration.error_budget import Observation, error_budget
from mirical.calibration.factors import Query
from mirical.conventions import FLUX
from mirical.errors import InputError
from mirical.exports.covariance_file import Covariance
from mirical.instruments.instrument import Instrument
from mirical.tables.apertures import Aperture, refuse_other_apertures, stated_apertures
from mirical.tables.formats import called, numbers, read_columns, texts
from mirical.tables.quantities import errors, numbered_epochs

Floats = NDArray[np.float64]

NEEDED = ("filter", "subarray", "mjd")
"""Columns of every table."""

MADE = ("flux_calibrated", "flux_stat_std", "flux_cal_std", "flux_cal_relative_std", "c_mean")
"""Columns that are added."""

MOST_ROWS = 5000
"""Rows whose covariance is still a file one wants (200 MB)."""

_SURFACE_BRIGHTNESS = u.MJy / u.sr

_EXTENDED = (
    "{}: column 'flux' is a surface brightness, so its errors are those of an extended source "
    "(--source extended): no aperture correction is common to it and the standard stars."
)
_OR_ALL = ", or the column if errors are not known"
_NO_ERRORS = (
    "{}: states no errors of its fluxes; flux_stat_std is NaN, and the covariance is the "
    "calibration's alone."
)


@dataclass(frozen=True)
class CalibratedFluxes:
    """Fluxes under a calibration.

    Attributes
    ----------
    table : Table
        The rows as they came, dates as MJD, and `MADE`: the flux, its error without the
        calibration's, the calibration's absolute and relative error, and the factor; and its
        zero point [mag], where the instrument has them.
    joint : Covariance
        The fluxes with their covariance: ``statistical``, where the table states errors, and the
        calibration's parts; draws hold the calibration's alone.
    cautions : tuple of str
        What to know of them, in sentences.
    """

    table: Table
    joint: Covariance
    cautions: tuple[str, ...]

    @property
    def mean(self) -> Floats:
        """The fluxes, (point,), in `unit`."""
        return self.joint.mean

    @property
    def std(self) -> Floats:
        """Their absolute errors, photometric and of the calibration, (point,), in `unit`."""
        return self.joint.std

    @property
    def unit(self) -> u.UnitBase:
        """Of the fluxes."""
        return self.joint.unit

    @property
    def covariance(self) -> Floats:
        """Absolute covariance between the fluxes, (point, point), in the unit squared."""
        return self.joint.covariance

    @property
    def parts(self) -> Mapping[str, Floats]:
        """What the covariance is the sum of, (point, point)."""
        return self.joint.parts

    def chi2(self, model: ArrayLike) -> float:
        """Return chi2 of the fluxes given a model's; see `mirical.normal_values`."""
        return self.joint.chi2(model)

    def log_likelihood(self, model: ArrayLike) -> float:
        """Return the log density of the fluxes given a model's; see `mirical.normal_values`."""
        return self.joint.log_likelihood(model)


def calibrate_table(
    given: Any,
    calibration: Calibration,
    apertures: Mapping[str, Aperture],
    before: Calibration | None = None,
    extended: bool = False,
    visits: int = 1,
) -> CalibratedFluxes:
    """Return the fluxes of a table under a calibration, with their covariance.

    Parameters
    ----------
    given : Path or table
        File, or a table in memory: filter, subarray, mjd; ``iflux`` [DN/s] or ``flux`` [a flux
        density or surface brightness], each optionally with ``ifluxunc`` or ``fluxunc``;
        optionally ``name`` of the object, and ``photmjsr`` [(MJy/sr)/(DN/s)], the factor of
        ``flux``.
    calibration : Calibration
        The new one.
    apertures : mapping of {str : Aperture}
        What ``iflux`` was measured in, by band.
    before : Calibration, optional
        What ``flux`` was calibrated with, where no ``photmjsr`` says so.
    extended : bool
        Whether the fluxes are of extended sources, or of other apertures.
    visits : int
        Visits each flux is the mean of.

    Raises
    ------
    InputError
        If the table lacks a column or a number, was calibrated here before, or is too long.
    """
    notes: list[str] = []
    source = called(given)
    instrument = calibration.instrument
    table = read_columns(given, NEEDED, notes, _units(instrument), instrument)
    _refuse(table, source, instrument.count_unit)
    mjd = numbered_epochs(table, source, notes)
    query = Query.of(instrument, texts(table["filter"]), texts(table["subarray"]), mjd, source)
    objects = tuple(texts(table["name"])) if "name" in table.colnames else ()
    factors = calibration.at(query)
    if "iflux" in table.colnames:
        if extended:
            raise InputError(
                f"{source}: column 'iflux' is the count rate of a point source in its aperture; "
                "for extended sources give 'flux' [MJy / sr] and 'photmjsr'."
            )
        refuse_other_apertures(source, stated_apertures([table], source), apertures)
        known = [apertures[band].correction for band in query.filters]
        new = instrument.fluxes_per_rate(factors.mean, np.array(known), query.filters)
        flux, error = _measured(table, "iflux", instrument.count_rate, source)
    else:
        unit = _flux_unit(table, source)
        if unit == _SURFACE_BRIGHTNESS and not extended:
            extended = True
            notes.append(_EXTENDED.format(source))
        flux, error = _measured(table, "flux", unit, source)
        new = factors.mean / _old_factors(table, query, before, source)
    flux, error = flux * new, error * new
    budget = error_budget(calibration, Observation(query, extended, visits, objects))
    size = flux.value
    outer = np.outer(size, size)
    parts = {name: part * outer for name, part in budget.parts.items()}
    if np.any(np.isfinite(error)):
        parts = {"statistical": np.diag(error.value**2), **parts}
    else:
        notes.append(_NO_ERRORS.format(source))
    covariance = Covariance(
        query,
        size,
        np.sum(list(parts.values()), axis=0),
        flux.unit,
        parts,
        objects=objects,
    )
    by_calibration = (np.abs(flux) * std for std in (budget.std, budget.relative_std))
    columns = flux, error, *by_calibration, factors.mean * instrument.factor_unit
    for name, column in zip(MADE, columns, strict=True):
        table[name] = column
    if instrument.factor.view is not None:
        table["zero_point"] = factors.zero_points * u.mag
    what = f"{simulated(calibration)}{calibration.name}"
    table.meta["calibrated_by"] = what
    if calibration.simulated:
        table.meta["simulated"] = True
    cautions = *notes, *calibration.cautions(query), *budget.unknown
    return CalibratedFluxes(table, covariance, cautions)


def flux_draws(
    fluxes: CalibratedFluxes, calibration: Calibration, number: int | None, seed: int
) -> Floats:
    """Return draws of the fluxes as the calibration leaves them open, (draw, point).

    Draws of the factor, times normal ones of repeatability and aperture correction; nothing
    of the photometric error.
    """
    made = fluxes.joint
    factors = calibration.draws(made.query, number, seed)
    outer = np.outer(made.mean, made.mean)
    beside = made.parts["repeatability"] + made.parts["aperture"]
    relative = np.divide(beside, outer, out=np.zeros_like(beside), where=outer != 0)
    random = np.random.default_rng(seed)
    noise = random.multivariate_normal(
        np.zeros(len(made.mean)), relative, size=len(factors), method="eigh"
    )
    return made.mean * factors / factors.mean(axis=0) * (1 + noise)


def _units(instrument: Instrument) -> dict[str, u.UnitBase | None]:
    """Return the unit of each optional column; that of fluxes is the table's own."""
    units: dict[str, u.UnitBase | None] = dict.fromkeys(("name", "flux", "fluxunc"))
    units |= dict.fromkeys(("iflux", "ifluxunc"), instrument.count_rate)
    return units | {"photmjsr": instrument.factor_unit}


def _refuse(table: Table, source: str, count_unit: str) -> None:
    if "calibrated_by" in table.meta or any(name in table.colnames for name in MADE):
        raise InputError(
            f"{source}: was calibrated here before, by {table.meta.get('calibrated_by', '?')}; "
            "give the table from before."
        )
    if not 0 < len(table) <= MOST_ROWS:
        raise InputError(
            f"{source}: {len(table)} rows; expected from 1 to {MOST_ROWS}: the covariance of more "
            "is too large a file. Split the table."
        )
    present = [name for name in ("iflux", "flux") if name in table.colnames]
    if not present:
        raise InputError(
            f"{source}: has neither 'iflux' [{count_unit}] nor 'flux'; expected one of these "
            "columns."
        )
    if len(present) > 1:
        raise InputError(f"{source}: has both 'iflux' and 'flux'; leave the one to be calibrated.")


def _flux_unit(table: Table, source: str) -> u.UnitBase:
    unit = table["flux"].unit
    for wanted in (FLUX, _SURFACE_BRIGHTNESS):
        if unit is not None and u.Unit(unit).is_equivalent(wanted):
            return wanted
    raise InputError(
        f"{source}: column 'flux' is in {unit or 'no unit'}; expected a flux density such as mJy "
        "or a surface brightness such as MJy / sr."
    )


def _measured(
    table: Table, name: str, unit: u.UnitBase, source: str
) -> tuple[u.Quantity, u.Quantity]:
    """Return a column and its error, NaN where there is no column of errors."""
    bare = unit if name == "iflux" else None
    value = numbers(table[name], unit, source, bare=bare)
    _refuse_missing(value.value, name, source)
    unc = f"{name}unc"
    if unc not in table.colnames:
        return value, np.full(len(value), np.nan) * unit
    error = errors(table, unc, value, unit, source, bare=bare)
    _refuse_missing(np.where(error.value > 0, error.value, np.nan), unc, source)
    return value, error


def _refuse_missing(values: Floats, name: str, source: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise InputError(
            f"{source} row {bad[0] + 1}: column {name!r} has no usable number; fill it in or leave "
            f"the row out{_OR_ALL if name.endswith('unc') else ''}."
        )


def _old_factors(table: Table, query: Query, before: Calibration | None, source: str) -> Floats:
    if "photmjsr" in table.colnames:
        unit = query.instrument.factor_unit
        old = numbers(table["photmjsr"], unit, source, bare=unit).value
        _refuse_missing(np.where(old > 0, old, np.nan), "photmjsr", source)
        return old
    if before is None:
        raise InputError(
            f"{source}: nothing says what factor 'flux' was calibrated with; add a column "
            "'photmjsr' (of the images' headers), or name the calibration (--calibrated-with)."
        )
    return before.at(query).mean
