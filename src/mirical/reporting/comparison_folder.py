"""Comparison of two calibrations in full, and its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table, vstack

from mirical.calibration.calibration import Calibration, Floats
from mirical.calibration.comparison import (
    compare_factors,
    compare_stated,
    compare_subarrays,
    default_query,
    shared_bands,
)
from mirical.calibration.factors import Query
from mirical.calibration.provenance import record, stamp
from mirical.errors import InputError
from mirical.inference.schema import FLUX_SCALE
from mirical.number_text import floats, rows_with
from mirical.storage.files import whole_folder
from mirical.tables.formats import write_ecsv
from mirical.version import __version__

_TITLES = {
    "factors": "calibration factors",
    "coefficients": "coefficients",
    "subarrays": "throughputs of subarrays",
    "curves": "calibration factors against time",
}
_SAME_SCALE = "Both rest on one flux scale: its error is left out of all errors here."
_POINTS = 41
_SPAN = 1500.0  # days of curves where neither calibration says when it has rows
_BEYOND = 200.0  # days shown after the last row, where only time laws and priors speak
_INTERVALS = ("q025", "q16", "q84", "q975")


@dataclass(frozen=True)
class Comparison:
    """Two calibrations side by side.

    Attributes
    ----------
    factors : QTable
        As `mirical.calibration.comparison.compare_factors` makes it.
    coefficients, subarrays : QTable
        As `compare_stated` and `compare_subarrays` make them.
    simulated : bool
        Whether one of the two rests on simulated rows.
    sentences : tuple of str
        Which bands only one of the two has, and what their errors leave out.
    pair : tuple of Calibration
        Ours and theirs.
    """

    factors: QTable
    coefficients: QTable
    subarrays: QTable
    simulated: bool
    sentences: tuple[str, ...]
    pair: tuple[Calibration, Calibration]

    @cached_property
    def curves(self) -> QTable:
        """As `compare_curves` makes it; seconds of work, so made when it is asked for."""
        return _titled("curves", compare_curves(*self.pair), *self.pair)


def compare(ours: Calibration, theirs: Calibration, mjd: Sequence[float] | None) -> Comparison:
    """Return everything both calibrations say, for the bands both have.

    Errors are without that of the flux scale, on which both rest.

    Parameters
    ----------
    ours, theirs : Calibration
        Differences are ours minus theirs.
    mjd : sequence of float, optional
        Epochs the factors are compared at, MJD in days.

    Raises
    ------
    InputError
        If they have no band in common, or an epoch cannot be one.
    """
    bands = shared_bands(ours, theirs)
    stated = any(FLUX_SCALE in one.absolute_parts for one in (ours, theirs))
    if stated:
        ours, theirs = (one.leaving_out([FLUX_SCALE]) for one in (ours, theirs))
    query = default_query(ours.instrument, bands, mjd, ours.reference_mjd)
    tables = {
        "factors": compare_factors(ours, theirs, query),
        "coefficients": compare_stated(ours, theirs),
        "subarrays": compare_subarrays(ours, theirs),
    }
    return Comparison(
        **{name: _titled(name, table, ours, theirs) for name, table in tables.items()},
        simulated=ours.simulated or theirs.simulated,
        pair=(ours, theirs),
        sentences=(
            *(
                f"Only {one.name} has {', '.join(alone)}."
                for one in (ours, theirs)
                if (alone := [band for band in one.bands if band not in bands])
            ),
            *([_SAME_SCALE] if stated else []),
        ),
    )


def _titled(name: str, table: QTable, ours: Calibration, theirs: Calibration) -> QTable:
    """Return a table with its title and the provenance of both calibrations."""
    known = {"simulated": ours.simulated or theirs.simulated, "mirical": __version__}
    known |= {"of_ours": record(ours), "of_theirs": record(theirs)}
    stamp(table, known, f"{_TITLES[name]} of {ours.name} and {theirs.name}")
    return table


def compare_curves(ours: Calibration, theirs: Calibration) -> QTable:
    """Return C(t) of both calibrations in every band both have, in every subarray.

    Returns
    -------
    QTable
        Columns filter, subarray, mjd [d]; c, c_std, c_other, c_other_std
        [the instrument's unit]; diff_pct with its central 95 % and 68 %
        intervals ``diff_q025_pct`` ... ``diff_q975_pct`` from our factor alone,
        and the interval of theirs about itself, ``other_q16_pct`` and
        ``other_q84_pct`` [all in percent of theirs]; diff_sigma in both errors
        combined; within_data: whether the epoch lies between the band's first
        and last row, both of which are among the epochs.
    """
    grid = _grid(ours, theirs)
    pieces, instrument = [], ours.instrument
    for band in shared_bands(ours, theirs):
        known = [one.epochs[band] for one in (ours, theirs) if band in one.epochs]
        mjd = np.union1d(grid, [end for ends in known for end in ends])
        within = np.any([(mjd >= first) & (mjd <= last) for first, last in known], axis=0)
        masked, known = instrument.bands[band].mask is not None, instrument.readouts(band)
        others = () if masked else instrument.subarrays[1:]
        for subarray in (instrument.reference, *(name for name in others if name in known)):
            piece = _curve(ours, theirs, Query.of(instrument, band, subarray, mjd))
            piece["within_data"] = within if known else True
            pieces.append(piece)
    table = vstack(pieces, metadata_conflicts="silent")
    table.meta["ours"], table.meta["theirs"] = ours.name, theirs.name
    return table


def reference_differences(coefficients: QTable) -> QTable:
    """Return how far our factors at the reference epoch lie from theirs.

    Parameters
    ----------
    coefficients : QTable
        As `mirical.calibration.comparison.compare_stated` makes it.

    Returns
    -------
    QTable
        Columns filter; diff_pct, std_pct (our error), other_std_pct (theirs)
        [in percent of their factor]; diff_sigma.
    """
    rows = rows_with(coefficients, "quantity", "C_ref")
    scale = 100 / floats(rows["theirs"])
    table = QTable({"filter": rows["filter"], "diff_pct": rows["diff_pct"]})
    table["std_pct"] = floats(rows["ours_std"]) * scale * u.percent
    table["other_std_pct"] = floats(rows["theirs_std"]) * scale * u.percent
    table["diff_sigma"] = rows["diff_sigma"]
    table.meta |= coefficients.meta
    return table


def check_target(out: Path) -> None:
    """Refuse a folder that a comparison must not be written to.

    Raises
    ------
    InputError
        If it is a file or a run's folder, whose tables have the same names.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; --out needs a folder, or a file named *.ecsv.")
    if (out / "posterior.nc").exists():
        raise InputError(
            f"{out}: is a run's folder, whose tables would be overwritten; choose another --out."
        )


def write_comparison(comparison: Comparison, folder: Path, audit: Table | None = None) -> None:
    """Write the page, four tables and two figures, and the audit if there is one, all or none.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    from mirical.pages.links import link_page
    from mirical.pages.pictures import pictures_of
    from mirical.plotting.canvas import labelled
    from mirical.reporting.comparison_figures import curve_differences, reference_figure
    from mirical.reporting.comparison_page import PAGE, render

    simulated, instrument = comparison.simulated, comparison.pair[0].instrument
    at_reference = reference_differences(comparison.coefficients)
    figures = {
        "comparison": curve_differences(comparison.curves, instrument, simulated),
        "differences": reference_figure(at_reference, simulated),
    }
    pictures = pictures_of(figures)
    tables = {name: getattr(comparison, name) for name in _TITLES}
    tables |= {} if audit is None else {"audit": audit}
    files = [f"{name}.ecsv" for name in tables]
    page = render(comparison.factors, comparison.sentences, instrument, pictures, files)
    with whole_folder(folder, former=("audit.ecsv",)) as beside:
        for name, table in tables.items():
            write_ecsv(table, beside / f"{name}.ecsv")
        for name, picture in pictures.items():
            about = comparison.factors.meta
            (beside / f"{name}.png").write_bytes(labelled(picture.png, about))
        (beside / PAGE).write_text(page, encoding="utf-8")
    link_page(folder, PAGE)


def _grid(ours: Calibration, theirs: Calibration) -> Floats:
    """Return the epochs of the curves: from t0 to a while after the last row of either."""
    ends = [last for one in (ours, theirs) for _, last in one.epochs.values()]
    t0 = ours.instrument.t0
    last = max(ends) + _BEYOND if ends else t0 + _SPAN
    return np.linspace(t0, max(last, t0 + _BEYOND), _POINTS)


def _curve(ours: Calibration, theirs: Calibration, query: Query) -> QTable:
    one, two = ours.at(query), theirs.at(query)
    unit = query.instrument.factor_unit
    table = QTable({"filter": list(query.filters), "subarray": list(query.subarrays)})
    table["mjd"] = query.mjd * u.d
    table["c"], table["c_std"] = one.mean * unit, one.std * unit
    table["c_other"], table["c_other_std"] = two.mean * unit, two.std * unit
    table["diff_pct"] = 100 * (one.mean / two.mean - 1) * u.percent
    for name in _INTERVALS:
        table[f"diff_{name}_pct"] = 100 * (getattr(one, name) / two.mean - 1) * u.percent
    for name in ("q16", "q84"):
        table[f"other_{name}_pct"] = 100 * (getattr(two, name) / two.mean - 1) * u.percent
    table["diff_sigma"] = (one.mean - two.mean) / np.hypot(one.std, two.std)
    return table
