"""The ``Calibration`` protocol: calibration factor by band, subarray and time, with its error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from astropy import units as u
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.inference.schema import FLUX_SCALE
from mirical.instruments.instrument import Instrument
from mirical.instruments.magnitudes import PER_MAGNITUDE, zero_points

Floats = NDArray[np.float64]


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
            np.atleast_1d(np.asarray(filters, dtype=str)),
            np.atleast_1d(np.asarray(subarrays, dtype=str)),
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


@dataclass(frozen=True)
class Factors:
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


TYPES, RELATIVE = "types", "relative"

ABSOLUTE = {FLUX_SCALE: "the flux scale", TYPES: "the types of star"}
"""Parts that an absolute error holds and a relative one does not, as sentences call them: the
scale common to all stars and bands, and what the flux scales of the types of star are off."""

PARTS = (*ABSOLUTE, "scale", "colour", "time", "subarray")
"""What a factor's error is made of: beside `ABSOLUTE`, common to all bands, of a band, of the
response loss, of D."""

NO_FLUX_SCALE = "no error of the flux scale is stated, so absolute errors are unknown"

UNBELIEVABLE = (
    "this run must not be believed: its chains do not agree or are too short (its report says "
    "why and what to do)."
)

DRAWS = 1000
"""Draws from a calibration that is a distribution, not draws, where no number is given."""


@dataclass(frozen=True)
class Scatter:
    """How observations of one point source scatter about its flux, as fractions.

    Attributes
    ----------
    visit : float
        Standard deviation of what all bands of a visit share.
    repeatability : mapping of {str : float}
        Of a single observation beside that, by band; NaN where it was not measured.
    """

    visit: float
    repeatability: Mapping[str, float]


class Calibration(Protocol):
    """Anything that answers with factors: a posterior, published numbers, point fits."""

    @property
    def name(self) -> str:
        """How tables and figures call it."""
        ...

    instrument: Instrument
    """Whose factors they are."""

    @property
    def bands(self) -> list[str]:
        """Bands it has factors for."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether it rests on simulated rows."""
        ...

    @property
    def believable(self) -> bool:
        """Whether the sampler's diagnostics allow to use it."""
        return True

    @property
    def doubts(self) -> tuple[str, ...]:
        """Return what a user should know of it wherever it goes, in sentences."""
        return ()

    @property
    def absolute_parts(self) -> tuple[str, ...]:
        """Those of `ABSOLUTE` that its errors hold."""
        return ()

    @property
    def without(self) -> tuple[str, ...]:
        """Those of `ABSOLUTE` that were left out of its errors and draws; see `leaving_out`."""
        return ()

    def leaving_out(self, parts: Collection[str]) -> Calibration:
        """Return the calibration without some of `ABSOLUTE`, for relative work.

        Errors, covariances, intervals and draws are then given that these are exact; means stay.
        A calibration that states no error of them has nothing to leave out.
        """
        return self

    @property
    def reference_mjd(self) -> float:
        """Epoch at which one factor a band is quoted, MJD in days: among the rows, if there are."""
        ends = list(self.epochs.values())
        first, last = (min(a for a, _ in ends), max(b for _, b in ends)) if ends else (0.0, np.inf)
        usual = self.instrument.reference_mjd
        return usual if first <= usual <= last else round(0.5 * (first + last))

    @property
    def epochs(self) -> Mapping[str, tuple[float, float]]:
        """First and last epoch with rows by band, MJD in days; empty if it holds no rows."""
        ...

    @property
    def provenance(self) -> Mapping[str, object]:
        """Where the numbers come from: data and their hash, card, seed, versions."""
        ...

    @property
    def departures(self) -> tuple[str, ...]:
        """Terms that change the factors with time beside the time law."""
        return ()

    @property
    def private_readouts(self) -> bool:
        """Whether the throughputs of readouts are of each band by itself, with nothing common."""
        return False

    def band_throughputs(self) -> QTable:
        """Return filter, subarray, D and D_std of every readout beside the reference, where known.

        Raises
        ------
        InputError
            If it has only common ones.
        """
        raise InputError(f"{self.name}: states throughputs common to all bands, none of a band.")

    @property
    def scatter(self) -> Scatter:
        """How single observations scatter about the factor."""
        ...

    @property
    def aperture_errors(self) -> Mapping[str, float]:
        """Relative error of each band's aperture correction, NaN where nobody measured it."""
        ...

    @property
    def n_stars(self) -> Mapping[str, float]:
        """Stars behind each band's factor; not whole numbers where rows were clipped."""
        ...

    def stated_coefficients(self) -> QTable:
        """Return A, B, tau and repeatability in the form of `coefficients.band_table`."""
        ...

    def stated_subarrays(self) -> QTable:
        """Return D as `mirical.calibration.coefficients.subarray_table` has it."""
        ...

    def cautions(self, query: Query) -> list[str]:
        """Return what a user of the answer to a query should know, in sentences."""
        ...

    def at(self, query: Query) -> Factors:
        """Return the factors with covariance; by Eq. 4, C = [A + B exp(-(t - t0)/tau)] / D."""
        ...

    def draws(self, query: Query, number: int | None = None, seed: int = 0) -> Floats:
        """Return draws of the factors, shape (draw, point).

        Parameters
        ----------
        query : Query
            The points.
        number : int, optional
            How many; all there are, or `DRAWS` where there is a distribution to draw from.
        seed : int
            Fixes which.

        Raises
        ------
        InputError
            If there are not so many, or a band is asked for that it has not.
        """
        ...

    def parts(self, query: Query) -> dict[str, Floats]:
        """Return the relative covariance of the factors as a sum over `PARTS`, (point, point)."""
        ...

    def variances(self, query: Query) -> dict[str, Floats]:
        """Return the diagonals of `parts`, (point,), of any number of points."""
        ...

    def basis(self, query: Query) -> list[str]:
        """Return what the factor of each point rests on (`mirical.calibration.basis`)."""
        ...

    def factor(self, band: object, subarray: object, mjd: object) -> Factors:
        """Return the calibration factor of band, subarray and epoch; sequences broadcast."""
        return self.at(Query.of(self.instrument, band, subarray, mjd))

    def in_reference(self, bands: object, mjd: object) -> Query:
        """Return bands in the reference readout at epochs; sequences broadcast."""
        return Query.of(self.instrument, bands, self.instrument.reference, mjd)


def simulated(calibration: Calibration) -> str:
    """Return ``"SIMULATED "`` for a calibration that rests on simulated rows, else nothing."""
    return "SIMULATED " if calibration.simulated else ""


def errors_hold(calibration: Calibration) -> str:
    """Say which error a calibration's numbers carry, absolute or relative, as outputs state it."""
    held = " and ".join(ABSOLUTE[part] for part in calibration.absolute_parts)
    if calibration.without:
        left = " and ".join(ABSOLUTE[part] for part in calibration.without)
        held_too = f"; they hold {held}, which relative errors do not" if held else ""
        return f"errors are without {left}, left out as asked{held_too}"
    if FLUX_SCALE in calibration.absolute_parts:
        return f"errors are absolute: they hold {held}, which relative errors do not"
    if held:
        return f"{NO_FLUX_SCALE}; errors hold {held}, which relative errors do not"
    return f"{NO_FLUX_SCALE}; errors are relative"
