"""The ``Calibration`` protocol: calibration factor by band, subarray and time, with its error."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.calibration.factors import Factors, Query
from mirical.errors import InputError
from mirical.inference.schema import FLUX_SCALE
from mirical.instruments.instrument import Instrument

Floats = NDArray[np.float64]


TYPES = "types"

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
