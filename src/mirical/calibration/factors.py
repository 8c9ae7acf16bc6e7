"""Calibration factors at points: what is asked for, and the answer with its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.instruments.instrument import Instrument
from mirical.instruments.magnitudes import PER_MAGNITUDE, zero_points
from mirical.normal_values import NormalValues

Floats = NDArray[np.float64]

RELATIVE = "relative"
"""Part of a covariance that is left if flux scale and types of star were exact."""


@dataclass(frozen=True)
class Query:
    """Points at which calibration factors are asked for.

    Attributes
    ----------
    filters, subarrays : tuple of str
        Band and subarray of each point.
    mjd : (point,) array
        Epochs, MJD in days.
    instrument : Instrument
        Whose bands and subarrays.
    """

    filters: tuple[str, ...]
    subarrays: tuple[str, ...]
    mjd: Floats
    instrument: Instrument

    @classmethod
    def of(
        cls,
        instrument: Instrument,
        filters: object,
        subarrays: object,
        mjd: object,
        where: str = "query",
    ) -> Query:
        """Return a checked query; scalars and sequences broadcast against each other.

        Raises
        ------
        InputError
            If there is no point, a band or subarray is unknown or not observed together, or an
            epoch is before the instrument observed or not a number.
        """
        bands, terms, epochs = np.broadcast_arrays(
            _spelled(filters, instrument.spelled_band),
            _spelled(subarrays, instrument.spelled_subarray),
            np.atleast_1d(np.asarray(mjd, dtype=float)),
        )
        if len(bands) == 0:
            raise InputError(f"{where}: no rows; give at least one band, subarray and epoch.")
        first, last = instrument.epochs
        for i, (band, subarray, epoch) in enumerate(zip(bands, terms, epochs, strict=True), 1):
            place = where if len(bands) == 1 else f"{where} row {i}"
            instrument.require_readout(str(band), str(subarray), place)
            if not first <= epoch <= last:
                raise InputError(
                    f"{place}: mjd {epoch:.10g} is not an epoch of {instrument.observatory}; "
                    f"expected one such as {instrument.reference_mjd:.0f}."
                )
        names = tuple(map(str, bands)), tuple(map(str, terms))
        return cls(*names, epochs.astype(float), instrument)

    def __len__(self) -> int:
        return len(self.filters)

    def in_pieces(self, size: int) -> Iterator[Query]:
        """Yield the points in order, at most `size` at once."""
        for start in range(0, len(self), size):
            of = slice(start, start + size)
            yield Query(self.filters[of], self.subarrays[of], self.mjd[of], self.instrument)

    @property
    def terms(self) -> list[str]:
        """The subarray whose D applies to each point, or is assumed to."""
        return [self.instrument.assumed_term(subarray, "query") for subarray in self.subarrays]

    def assumptions(self) -> list[str]:
        """Say where a subarray's D is assumed because no standard star was observed in it."""
        return self.instrument.assumptions(self.subarrays)


def _spelled(names: object, spelled: Callable[[str], str]) -> NDArray[np.str_]:
    """Return names as the instrument's card spells them, whatever their capitals."""
    given = np.atleast_1d(np.asarray(names, dtype=str))
    known = {name: spelled(name) for name in set(given.ravel().tolist())}
    found = np.array([known[name] for name in given.ravel().tolist()], dtype=str)
    return found.reshape(given.shape)


@dataclass(frozen=True)
class Factors(NormalValues):
    """Calibration factors at the points of a query, in the instrument's unit of factors.

    Errors, intervals and covariance are absolute: they hold what the calibration states of
    `ABSOLUTE`, unless that was left out; see `errors_hold`.

    Attributes
    ----------
    query : Query
        The points.
    mean, std : (point,) array
        Mean and standard deviation; of a posterior, half the central 68 % interval given an exact
        flux scale, and the error of the flux scale in quadrature.
    q025, q16, q84, q975 : (point,) array
        Central 95 % and 68 % intervals.
    joint : (point, point) array or callable
        Covariance between the points, or what computes its `parts` when they are asked for.
    aperture : (point,) array or None
        Relative error of the aperture correction, NaN if unknown, no part of the above: common to
        all stars of a band, it cancels for a point source measured in the same aperture, and does
        not for another aperture or an extended source.
    relative : (point,) array or None
        What is left of `std` if flux scale and types of star were exact; None: all of it.
    """

    query: Query
    mean: Floats
    std: Floats
    q025: Floats
    q16: Floats
    q84: Floats
    q975: Floats
    joint: Floats | Callable[[], dict[str, Floats]]
    aperture: Floats | None = None
    relative: Floats | None = None

    @property
    def unit(self) -> u.UnitBase:
        """Of mean, errors and intervals; that of the covariance is its square."""
        return self.query.instrument.factor_unit

    @property
    def zero_points(self) -> Floats:
        """Magnitude of one count a second in the system that the card names, (point,)."""
        return zero_points(self.mean, self.query.filters, self.query.instrument)

    @property
    def relative_std(self) -> Floats:
        """What is left of `std` if flux scale and types of star were exact, (point,)."""
        return self.std if self.relative is None else self.relative

    @cached_property
    def parts(self) -> dict[str, Floats]:
        """What the covariance is the sum of, (point, point): `RELATIVE`, and those of `ABSOLUTE`.

        Raises
        ------
        InputError
            If there are more points than `MOST_POINTS`.
        """
        refuse_many(len(self.query))
        return self.joint() if callable(self.joint) else {RELATIVE: self.joint}

    @cached_property
    def covariance(self) -> Floats:
        """Covariance between the points, (point, point).

        Raises
        ------
        InputError
            If there are more than `MOST_POINTS`.
        """
        return np.sum(list(self.parts.values()), axis=0)

    def table(self) -> QTable:
        """Return a row a point: filter, subarray, mjd, c_mean, c_std, c_relative_std, c_q16, c_q84.

        And zero_point [mag] with its errors, where the card names a magnitude system, and
        c_aperture_std, where known.
        """
        answer, unit = QTable(), self.query.instrument.factor_unit
        answer["filter"] = list(self.query.filters)
        answer["subarray"] = list(self.query.subarrays)
        answer["mjd"] = self.query.mjd
        for name in ("mean", "std", "relative_std", "q16", "q84"):
            answer[f"c_{name}"] = getattr(self, name) * unit
        if self.query.instrument.factor.view is not None:
            answer["zero_point"] = self.zero_points * u.mag
            answer["zero_point_std"] = PER_MAGNITUDE * self.std / self.mean * u.mag
            answer["zero_point_relative_std"] = (
                PER_MAGNITUDE * self.relative_std / self.mean * u.mag
            )
        if self.aperture is not None:
            answer["c_aperture_std"] = self.mean * self.aperture * unit
        return answer


MOST_POINTS = 5000
"""Points whose covariance is still a file one wants (200 MB)."""


def refuse_many(points: int) -> None:
    """Refuse a covariance of too many points.

    Raises
    ------
    InputError
        If there are more than `MOST_POINTS`.
    """
    if points > MOST_POINTS:
        raise InputError(
            f"covariance: {points} points have a matrix of {8e-9 * points**2:.2g} GB; expected "
            f"{MOST_POINTS} points at most. Split the grid, or leave the covariance out."
        )
