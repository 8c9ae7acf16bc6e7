"""``Calibration``: calibration factors, errors of observations, fluxes brought to a calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirical.api.html import factors_html, label
from mirical.errors import InputError, did_you_mean
from mirical.html_text import paragraph

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import QTable
    from numpy.typing import NDArray

    from mirical.api.plots import Plots
    from mirical.calibration.calibration import Calibration as Answers
    from mirical.calibration.error_budget import ErrorBudget
    from mirical.calibration.factors import Factors, Query
    from mirical.calibration.star_fluxes import StarFluxes
    from mirical.exports.calibrated_table import CalibratedFluxes
    from mirical.instruments.instrument import Instrument

_SOURCES = ("point", "extended")


class Calibration:
    """Calibration factors by band, subarray and epoch, and how sure they are.

    A run's (`Run.calibration`), the published one (`published`), or that of a table of zero points
    (`open_calibration`). Factors are in ``unit``, errors are one standard deviation and absolute
    unless parts were left out (`leaving_out`), epochs are MJD in days.

    Parameters
    ----------
    answers : object
        What answers; private to mirical.
    tables : mapping of {str : QTable}, optional
        The tables of its run, which figures are drawn of.
    """

    def __init__(self, answers: Answers, tables: Mapping[str, QTable] | None = None) -> None:
        self._answers, self._tables = answers, tables

    @property
    def name(self) -> str:
        """How tables and figures call it."""
        return self._answers.name

    @property
    def instrument(self) -> Instrument:
        """Whose factors they are: its bands, readouts and units."""
        return self._answers.instrument

    @property
    def unit(self) -> Any:
        """Unit of the factors, such as (MJy/sr)/(DN/s/pixel): an astropy unit."""
        return self.instrument.factor_unit

    @property
    def bands(self) -> list[str]:
        """Bands it has factors for."""
        return self._answers.bands

    @property
    def reference_mjd(self) -> float:
        """Epoch at which one factor a band is quoted, MJD in days."""
        return self._answers.reference_mjd

    @property
    def epochs(self) -> Mapping[str, tuple[float, float]]:
        """First and last epoch with rows by band, MJD in days; empty if it holds no rows."""
        return self._answers.epochs

    @property
    def simulated(self) -> bool:
        """Whether it rests on simulated rows."""
        return self._answers.simulated

    @property
    def believable(self) -> bool:
        """Whether the diagnostics of its run allow to use it."""
        return self._answers.believable

    @property
    def doubts(self) -> tuple[str, ...]:
        """What a user should know of it wherever it goes, in sentences."""
        return self._answers.doubts

    @property
    def provenance(self) -> Mapping[str, object]:
        """Where the numbers come from: rows and their hash, card, seed, versions."""
        return self._answers.provenance

    @property
    def coefficients(self) -> QTable:
        """A, B, tau and repeatability of each band with their errors, in the units they have."""
        return self._answers.stated_coefficients()

    @property
    def subarrays(self) -> QTable:
        """Throughput D of each subarray relative to the reference, and its error."""
        return self._answers.stated_subarrays()

    @property
    def plot(self) -> Plots:
        """Figures: ``plot.curves()``, ``plot.differences()``, ``plot.predictive()``, ...

        Raises
        ------
        InputError
            If it is not of a run, whose rows they show.
        """
        from mirical.api.plots import Plots

        if self._tables is None:
            raise InputError(
                f"{self.name}: figures show the rows of a run, which it has none of; plot the "
                "calibration of a run."
            )
        return Plots(self._tables, self.instrument, self.simulated)

    def factor(self, band: Any, subarray: Any, mjd: Any) -> Factors:
        """Return calibration factors with errors and their covariance.

        Parameters
        ----------
        band, subarray : str or sequence of str
            One for all points, or one a point; None as subarray is the reference (FULL).
        mjd : float or sequence of float
            Epochs, MJD in days.

        Returns
        -------
        Factors
            ``mean``, ``std``, ``relative_std``, ``q16``, ``q84`` (point,) and ``covariance``
            (point, point) in ``unit`` and its square; ``table()`` has them with units.

        Raises
        ------
        InputError
            If a band or subarray is unknown, not observed together or without rows, or an epoch
            is before the instrument observed.
        """
        return self._answers.at(self._query(band, subarray, mjd))

    def at(self, query: Query) -> Factors:
        """Return the factors at the points of a query, such as that of another answer."""
        return self._answers.at(query)

    def draws(self, query: Query, number: int | None = None, seed: int = 0) -> NDArray[np.float64]:
        """Return draws of the factors, (draw, point), in `unit`.

        Parameters
        ----------
        query : Query
            The points, such as those of an answer: ``answer.query``.
        number : int, optional
            How many; all there are.
        seed : int
            Fixes which.

        Raises
        ------
        InputError
            If there are not so many, or a band is asked for that it has not.
        """
        return self._answers.draws(query, number, seed)

    def basis(self, query: Query) -> list[str]:
        """Return what the factor of each point rests on: data, partly prior, prior, ..."""
        return self._answers.basis(query)

    def cautions(self, query: Query) -> list[str]:
        """Return what a user of the factors at some points should know, in sentences."""
        return self._answers.cautions(query)

    def error(
        self,
        band: Any,
        subarray: Any,
        mjd: Any,
        *,
        source: str = "point",
        visits: int = 1,
    ) -> ErrorBudget:
        """Return what the calibration adds to the errors of an observation's fluxes, in parts.

        Parameters
        ----------
        band, subarray, mjd : str, str, float or sequences
            As of `factor`, a flux each.
        source : {"point", "extended"}
            A point source in the standard stars' apertures, or anything else.
        visits : int
            Visits each flux is the mean of.

        Returns
        -------
        ErrorBudget
            ``std``, ``relative_std`` (point,), ``covariance`` and ``parts`` (point, point) as
            fractions of the fluxes; ``sentence()`` for a paper; ``table()`` in percent.

        Raises
        ------
        InputError
            As `factor`, or if `source` or `visits` is none.
        """
        from mirical.calibration.error_budget import Observation, error_budget

        query = self._query(band, subarray, mjd)
        return error_budget(self._answers, Observation(query, _extended(source), visits))

    def apply(
        self,
        table: Any,
        *,
        before: Calibration | str | None = None,
        apertures: str | None = None,
        source: str = "point",
        visits: int = 1,
    ) -> CalibratedFluxes:
        """Return the fluxes of a table under this calibration, with their covariance.

        Parameters
        ----------
        table : str, Path, astropy Table or pandas DataFrame
            Columns filter, subarray, mjd; ``iflux`` [DN/s] with ``ifluxunc``, or ``flux`` with
            ``fluxunc`` and ``photmjsr``, the factor it was calibrated with (docs/using.md).
        before : Calibration or str, optional
            What ``flux`` was calibrated with, where no column ``photmjsr`` says so.
        apertures : str, optional
            What ``iflux`` was measured in: a table of ``mirical apertures``. By default the
            instrument's published apertures.
        source : {"point", "extended"}
            As of `error`.
        visits : int
            As of `error`.

        Returns
        -------
        CalibratedFluxes
            ``mean``, ``std`` (point,) and ``covariance`` (point, point) in ``unit``; ``table``,
            the rows as they came with their fluxes and errors; ``cautions`` in sentences.

        Raises
        ------
        InputError
            If the table lacks a column or a number, or cannot be calibrated.
        """
        from mirical.exports.calibrated_table import calibrate_table
        from mirical.tables.apertures import PUBLISHED_APERTURES, load_apertures

        known = load_apertures(apertures or PUBLISHED_APERTURES, self.instrument, "apply")
        if isinstance(before, str):
            before = open_calibration(before, self.instrument)
        return calibrate_table(
            Path(table) if isinstance(table, str) else table,
            self._answers,
            known,
            None if before is None else before._answers,
            extended=_extended(source),
            visits=visits,
        )

    def stars(self) -> StarFluxes:
        """Return fluxes of the run's stars under this calibration: new secondary standards.

        Raises
        ------
        InputError
            If it is not of a run.
        """
        from mirical.calibration.posterior import PosteriorCalibration
        from mirical.calibration.star_fluxes import star_fluxes

        if not isinstance(self._answers, PosteriorCalibration):
            raise InputError(f"stars: {self.name!r} has no stars of its own; ask that of a run.")
        return star_fluxes(self._answers)

    def leaving_out(self, parts: Sequence[str]) -> Calibration:
        """Return the calibration without parts of its absolute errors, for relative work.

        Parameters
        ----------
        parts : sequence of str
            ``"flux_scale"``, ``"types"`` (the flux scales of the types of star), or both.

        Raises
        ------
        InputError
            If a part is none of these.
        """
        from mirical.calibration.calibration import ABSOLUTE

        for part in [parts] if isinstance(parts, str) else parts:
            if part not in ABSOLUTE:
                raise InputError(
                    f"leaving_out: {part!r} cannot be left out{did_you_mean(part, ABSOLUTE)}"
                )
        parts = [parts] if isinstance(parts, str) else parts
        return Calibration(self._answers.leaving_out(parts), self._tables)

    def _query(self, band: Any, subarray: Any, mjd: Any) -> Query:
        from mirical.calibration.factors import Query

        readout = self.instrument.reference if subarray is None else subarray
        return Query.of(self.instrument, band, readout, mjd)

    def __repr__(self) -> str:
        trust = "" if self.believable else ", NOT TO BE BELIEVED"
        return f"<Calibration {self.name}: {label(self.simulated)}{len(self.bands)} bands{trust}>"

    def _repr_html_(self) -> str:
        title = paragraph(f"{label(self.simulated)}Calibration {self.name}", strong=True)
        doubts = [paragraph(doubt, strong=True) for doubt in self.doubts]
        return "".join([title, *doubts, factors_html(self._answers)])


def published(instrument: str | Path | None = None) -> Calibration:
    """Return the published calibration of an instrument, such as the paper's Tables 7 and 8.

    Parameters
    ----------
    instrument : str or Path, optional
        Instrument card; MIRI by default.

    Raises
    ------
    InputError
        If there is no such card, or it states no published coefficients.
    """
    from mirical.instruments.cards import DEFAULT, load_instrument

    of = load_instrument(DEFAULT if instrument is None else str(instrument), "published")
    return open_calibration("published", of)


def open_calibration(name: str | Path, instrument: Instrument | None = None) -> Calibration:
    """Return the calibration of a run, the published one, or that of a table of zero points.

    Parameters
    ----------
    name : str or Path
        A run's folder or its name under ``reports/``, ``"published"``, or the path of a table of
        zero points.
    instrument : Instrument, optional
        Whose published factors or zero points; by default MIRI's.

    Raises
    ------
    InputError
        If there is none, or it cannot be used.
    """
    from mirical.calibration import store
    from mirical.calibration.posterior import PosteriorCalibration

    answers = store.open_calibration(str(name), instrument)
    if not isinstance(answers, PosteriorCalibration):
        return Calibration(answers)
    from mirical.figures.stored_tables import StoredTables

    return Calibration(answers, StoredTables(store.run_folder(str(name))))


def _extended(source: str) -> bool:
    if source not in _SOURCES:
        raise InputError(f"source is {source!r}; expected 'point' or 'extended'.")
    return source == "extended"
