"""What the rows of a run say of candidates that their table does not: types, errors, exposures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from astropy import units as u
from numpy.typing import NDArray

from mirical.errors import InputError
from mirical.jobs.inputs import Inputs
from mirical.number_text import words
from mirical.tables.predicted_fluxes import by_star_band, shipped_fluxes

Floats = NDArray[np.float64]

_ALIKE = 2.0  # times brighter or fainter that a star of like flux may be


class Known:
    """What the fitted rows of a run say of candidates.

    Parameters
    ----------
    inputs : Inputs
        Rows and card of the run.
    stars, bands : sequence of str
        Star and band of each candidate.

    Attributes
    ----------
    notes : list of str
        What was assumed, in sentences.
    """

    def __init__(self, inputs: Inputs, stars: Sequence[str], bands: Sequence[str]) -> None:
        self.notes: list[str] = []
        self._stars, self._bands = stars, bands
        self._design = inputs.design
        rows = inputs.factors.observations.table
        used = np.array([not flag for flag in rows["flag"]])
        self._rows = rows[used]
        self._name, self._band = (np.array(words(self._rows[n])) for n in ("name", "filter"))
        self._unc = np.asarray(inputs.factors.table["log_factor_unc"][used], dtype=float)
        self._flux = self._rows["model_flux"].to_value(u.mJy)
        self._shipped = by_star_band(shipped_fluxes(inputs.instrument))
        seconds = np.full(len(self._rows), np.nan)
        if "inttime" in self._rows.colnames:
            seconds = np.asarray(self._rows["inttime"].to_value(u.s), dtype=float)
        self._seconds = np.where(seconds > 0, seconds, np.nan)

    def types(self, given: Mapping[str, str], source: str) -> dict[str, str]:
        """Return the type of each candidate's star: that of the run, or as the table gives it.

        Raises
        ------
        InputError
            If neither says, or they contradict each other.
        """
        design = self._design
        known = {
            name: design.types[int(kind)]
            for name, kind in zip(design.stars, np.asarray(design.star_type), strict=True)
        }
        found = {}
        for i, star in enumerate(self._stars, start=1):
            if star not in known and star not in given:
                raise InputError(
                    f"{source} row {i}: the run has no rows of star {star!r}, so that nothing says "
                    "what type it is; add a column srctype."
                )
            if given.get(star, known.get(star)) != known.get(star, given.get(star)):
                raise InputError(
                    f"{source} row {i}: star {star!r} is a {given[star]} here and a {known[star]} "
                    "in the run; correct srctype."
                )
            found[star] = known.get(star) or given[star]
        return found

    def photometric(self, stated: Floats, inttime: Floats, flux: Floats, source: str) -> Floats:
        """Return the photometric error of each candidate as a fraction.

        Where none is stated it is the median of the run's rows of that star and band; else of
        those of the band within a factor of two in flux; else of all of the band. Where both
        state an integration time, it goes with its root.
        """
        found, how = stated.copy(), Counter[str]()
        for i in np.flatnonzero(~np.isfinite(stated)).tolist():
            rows, word = self._like(i, flux[i])
            error = self._unc[rows]
            scaled = error * np.sqrt(self._seconds[rows] / inttime[i])
            timed = np.isfinite(scaled)
            found[i] = np.median(scaled[timed]) if timed.any() else np.median(error)
            how[word] += 1
        self.notes += [
            f"{source}: {count} row{'s' * (count > 1)} without ifluxunc: the photometric error is "
            f"the median of the run's rows {word}."
            for word, count in how.items()
        ]
        return found

    def integration(self, inttime: Floats) -> Floats:
        """Return the exposure time of each candidate in seconds, NaN where nothing says.

        Where none is stated it is the median of the rows whose errors would be taken.
        """
        found = inttime.copy()
        for i in np.flatnonzero(~np.isfinite(inttime)).tolist():
            seconds = self._seconds[self._like(i, np.nan)[0]]
            if np.isfinite(seconds).any():
                found[i] = np.nanmedian(seconds)
        return found

    def flux_errors(self) -> Floats:
        """Return the error of each candidate's predicted flux, a fraction; 0 if none is stated.

        It is used where the run has no row of that star and band: the median of what is stated of
        the star in other bands, else of other stars in the band.
        """
        known, design = np.asarray(self._design.flux_unc), self._design
        found = np.zeros(len(self._stars))
        for i, (star, band) in enumerate(zip(self._stars, self._bands, strict=True)):
            own = known[design.stars.index(star)] if star in design.stars else np.zeros(0)
            for errors in (own, known[:, design.bands.index(band)]):
                if np.any(errors > 0):
                    found[i] = np.median(errors[errors > 0])
                    break
        return found

    def _like(self, i: int, flux: float) -> tuple[NDArray[np.bool_], str]:
        """Return which rows tell the error of a candidate, and which they are in words."""
        in_band = self._band == self._bands[i]
        own = in_band & (self._name == self._stars[i])
        if own.any():
            return own, "of that star and band"
        if not np.isfinite(flux):
            flux = self._shipped.get((self._stars[i], self._bands[i]), np.nan)
        with np.errstate(invalid="ignore"):  # stars of unknown flux, and candidates of one
            alike = in_band & (np.abs(np.log(self._flux / flux)) <= np.log(_ALIKE))
        if alike.any():
            return alike, "of stars of like flux in that band"
        return in_band, "of that band"
