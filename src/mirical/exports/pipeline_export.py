"""A calibration as photom reference files: of its mean, and of its draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.time import Time
from numpy.typing import NDArray

from mirical.calibration.calibration import Calibration, simulated
from mirical.calibration.factors import Query
from mirical.calibration.posterior import PosteriorCalibration
from mirical.errors import InputError
from mirical.exports.covariance_file import history
from mirical.exports.photom_file import About, PhotomRows
from mirical.exports.pipeline_law import CHECKED, SPAN, convert, epochs, fit_kind
from mirical.inference.schema import FLUX_SCALE
from mirical.instruments.miri import miri
from mirical.laws.pipeline_throughput import Tables, exact_tables, relative_throughput
from mirical.laws.timelaw import LAWS, LINEAR

Floats = NDArray[np.float64]

PUBLISHED_SPAN = (59720.0, 60633.0)
"""The paper's observations: from its t0, 2.5 years on (section 1), MJD in days."""


@dataclass(frozen=True)
class Exported:
    """A calibration in the pipeline's law.

    Attributes
    ----------
    rows : PhotomRows
        What the file will hold.
    worst : float
        Largest difference of any row from the calibration's mean factor, in its standard
        deviation, from MJD 59720 to `mirical.exports.pipeline_law.SPAN`'s end.
    worst_pct : float
        The same place in percent.
    worst_at : tuple of (str, str, float)
        Band, subarray and MJD of it.
    """

    rows: PhotomRows
    worst: float
    worst_pct: float
    worst_at: tuple[str, str, float]

    def sentence(self) -> str:
        """Say what the conversion costs."""
        band, subarray, mjd = self.worst_at
        return (
            f"law: {' x '.join(self.rows.tables)}; differs from the mean factor by "
            f"{self.worst:.3f} of its standard deviation at most, MJD {SPAN[0]:.0f} to "
            f"{SPAN[1]:.0f} "
            f"({self.worst_pct:+.3f} %, {band} in {subarray} at MJD {mjd:.0f})"
        )


def mean_rows(calibration: Calibration) -> Exported:
    """Return a calibration's mean factor in the pipeline's law, a row a band and readout.

    The time tables of a band are those of its factor in FULL; photmjsr takes up each
    subarray's throughput.

    Raises
    ------
    InputError
        If the factors change otherwise than by the time law.
    """
    _refuse_departures(calibration)
    mjd = epochs()
    found = {
        (band, term): _moments(calibration, band, term, mjd)
        for band in calibration.bands
        for term in miri().subarrays
        if term in miri().readouts(band)
    }
    full = [found[band, miri().subarrays[0]] for band in calibration.bands]
    curves = np.log([mean for mean, _ in full]), np.array([std / mean for mean, std in full])
    linear = isinstance(calibration, PosteriorCalibration) and calibration.time_law == LINEAR
    made = convert(mjd, *curves, first=(LINEAR,) if linear else ())
    level, worst = {}, (0.0, 0.0, ("", "", 0.0))
    for (band, term), (mean, std) in found.items():
        i = calibration.bands.index(band)
        shape = 1 / relative_throughput(_row(made.tables, i), mjd)
        weight = (shape / std) ** 2
        level[band, term] = float(np.sum(weight * mean / shape) / weight.sum())
        off = (level[band, term] * shape - mean) / std
        at = int(np.abs(off).argmax())
        if abs(off[at]) > worst[0]:
            place = band, term, float(mjd[at])
            worst = abs(float(off[at])), 100 * float(off[at] * std[at] / mean[at]), place
    index, filters, subarrays = _layout(calibration)
    at_reference = calibration.at(Query.of(miri(), filters, subarrays, calibration.reference_mjd))
    terms = [miri().assumed_term(name, "export") for name in subarrays]
    rows = PhotomRows(
        filters,
        subarrays,
        photmjsr=np.array([level[key] for key in zip(filters, terms, strict=True)]),
        uncertainty=at_reference.std,
        tables=_row(made.tables, index),
    )
    return Exported(rows, *worst)


def draw_rows(calibration: Calibration, number: int, seed: int = 0) -> list[PhotomRows]:
    """Return single draws of a calibration in the pipeline's law; their uncertainty is zero.

    A draw of a law that the pipeline has goes over as it is, others are fitted.

    Raises
    ------
    InputError
        If the calibration has not so many draws, or they depart from the law.
    """
    _refuse_departures(calibration)
    index, filters, subarrays = _layout(calibration)
    photmjsr, tables = _draws_in_full(calibration, number, seed)
    mjd = calibration.reference_mjd
    at_reference = calibration.draws(Query.of(miri(), filters, subarrays, mjd), number, seed)
    in_full = calibration.draws(calibration.in_reference(filters, mjd), number, seed)
    rows = photmjsr[:, index] * at_reference / in_full
    return [
        PhotomRows(
            filters, subarrays, rows[k], np.zeros(len(filters)), _row(_row(tables, k), index)
        )
        for k in range(number)
    ]


def about(calibration: Calibration, exported: Exported | None = None, draw: str = "") -> About:
    """Return what the header of a calibration's reference file says."""
    lines = history(calibration)
    if exported is not None:
        lines.append(exported.sentence())
        kind = "absolute, one" if FLUX_SCALE in calibration.absolute_parts else "one"
        lines.append(f"uncertainty is {kind} sigma at MJD {calibration.reference_mjd:.0f}")
    _, filters, subarrays = _layout(calibration)
    lines += calibration.cautions(Query.of(miri(), filters, subarrays, CHECKED[1]))
    lines.append("other bands in the coronagraphs' masks: D of FULL is assumed.")
    what = f"flux calibration of MIRI imaging: {calibration.name}{draw}"
    return About(
        description=f"{simulated(calibration)}{what}",
        pedigree=pedigree(calibration),
        useafter="2022-05-21T00:00:00",
        history=lines,
    )


def _refuse_departures(calibration: Calibration) -> None:
    if calibration.departures:
        raise InputError(
            f"{calibration.name}: its factors change by the terms "
            f"{', '.join(calibration.departures)} beside the time law, and the pipeline's tables "
            "hold none of that; export a run whose card has no such term."
        )


def pedigree(calibration: Calibration) -> str:
    """Return where the numbers come from, in the words CRDS accepts."""
    if calibration.simulated:
        return "SIMULATION"
    spans = calibration.epochs.values()
    ends = PUBLISHED_SPAN
    if spans:
        ends = min(first for first, _ in spans), max(last for _, last in spans)
    dates = [Time(mjd, format="mjd").strftime("%Y-%m-%d") for mjd in ends]
    return f"INFLIGHT {dates[0]} {dates[1]}"


def _layout(calibration: Calibration) -> tuple[NDArray[np.intp], tuple[str, ...], tuple[str, ...]]:
    """Return band number, filter and subarray of each row of the file."""
    pairs = [
        (i, band, name)
        for i, band in enumerate(calibration.bands)
        for name in miri().readouts(band)
    ]
    index, filters, subarrays = zip(*pairs, strict=True)
    return np.array(index), filters, subarrays


def _moments(calibration: Calibration, band: str, term: str, mjd: Floats) -> tuple[Floats, Floats]:
    answer = calibration.at(Query.of(miri(), band, term, mjd))
    return answer.mean, answer.std


def _draws_in_full(
    calibration: Calibration, number: int, seed: int
) -> tuple[Floats, Mapping[str, Mapping[str, Floats]]]:
    """Return photmjsr in FULL, (draw, band), and the tables of each draw and band."""
    if isinstance(calibration, PosteriorCalibration):
        law, chosen = calibration.time_law, calibration.chosen(number, seed)
        drawn = calibration.parameters(["A", *LAWS[law].of_band])
        drawn["A"] = drawn["A"] * calibration.flux_scales[:, None]
        exact = exact_tables(law, {name: value[chosen] for name, value in drawn.items()}, miri().t0)
        if exact is not None:
            return exact
    mjd = epochs()
    curves, errors = [], []
    for band in calibration.bands:
        query = calibration.in_reference(band, mjd)
        curves.append(np.log(calibration.draws(query, number, seed)))
        answer = calibration.at(query)
        errors.append(np.tile(answer.std / answer.mean, (number, 1)))
    flat = np.concatenate(curves), np.concatenate(errors)
    kind = convert(mjd, flat[0][:: max(1, number // 3)], flat[1][:: max(1, number // 3)]).tables
    made = fit_kind(tuple(kind), mjd, *flat, polish=False)
    shape = len(calibration.bands), number
    tables = {
        name: {key: value.reshape(shape).T for key, value in of.items()}
        for name, of in made.tables.items()
    }
    return made.photmjsr.reshape(shape).T, tables


def _row(tables: Tables, at: Any) -> dict[str, dict[str, Floats]]:
    return {name: {key: value[at] for key, value in of.items()} for name, of in tables.items()}
