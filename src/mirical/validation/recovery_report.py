"""Report of a recovery study: coverage, accuracy, criteria; tables and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mirical.instruments.miri import miri
from mirical.plotting.canvas import (
    GREY,
    OURS,
    PUBLISHED,
    SHADE,
    STYLE,
    blank,
    labelled,
    legend_below,
    png,
)
from mirical.storage.files import whole_folder
from mirical.tables.formats import write_ecsv
from mirical.validation.recovery import METHODS
from mirical.validation.scores import DAYS, SUBARRAYS, Score
from mirical.version import __version__

Record = dict[str, Any]

POOLED_68, POOLED_95 = (0.64, 0.72), (0.935, 0.965)
"""Coverage expected of C over all bands, subarrays and dates."""
COVERED_68, COVERED_95 = (0.58, 0.78), (0.90, 0.99)
"""Coverage expected of one quantity; a program shares star offsets within itself."""
BAND_COVERED = 0.45
"""Least 68 % coverage of any band."""
AGAINST_FLOOR, AGAINST_BEST, AGAINST_STAGED = 1.25, 0.65, 0.5
"""Largest ratio of the model's error to the floor's, and to the staged procedure's."""
FOUND, FOUND_SHARE, FAR = 0.9, 0.95, 5.0
"""Deviant rows so many sigma off shall be found with that probability, that share of them."""
DUST_SHIFT = 0.3
"""Largest change of A beyond F1500W, in sigma, by a debris disk on one star."""

MEAN, RATIOS = "mean of imaging bands", "ratios of neighbours"
_LONG = ("F1800W", "F2100W", "F2550W")


def write_summary(records: Sequence[Record], folder: Path) -> Table:
    """Write ``coverage.ecsv``, ``quantities.ecsv``, ``criteria.ecsv`` and ``coverage.png``.

    Returns
    -------
    Table
        The criteria.
    """
    coverage, parameters = coverage_table(records), quantity_table(records)
    criteria = criteria_table(records, coverage, parameters)
    figure = coverage_figure(coverage)
    known = {"simulated": True, "programs": len(records), "seeds": [r["seed"] for r in records]}
    known["mirical"] = __version__
    with whole_folder(folder) as beside:
        for name, table in (
            ("coverage", coverage),
            ("quantities", parameters),
            ("criteria", criteria),
        ):
            table.meta |= known
            write_ecsv(table, beside / f"{name}.ecsv")
        (beside / "coverage.png").write_bytes(labelled(png(figure), known))
    return criteria


def coverage_table(records: Sequence[Record]) -> Table:
    """Return error, quoted error and coverage of ln C by method and subset of the points."""
    bands = np.array(list(miri().bands))
    imaging = np.isin(bands, miri().imaging_bands)
    rows = []
    for method in METHODS:
        score = _stacked(records, "factors", method)
        grid = [part.reshape(len(records), *_shape()) for part in score]
        subsets = {
            "all": np.ones(_shape(), dtype=bool),
            "imaging": _where(imaging),
            "imaging, FULL": _where(imaging) & (np.arange(len(SUBARRAYS)) == 0)[:, None],
            "FND and coronagraphs": _where(~imaging),
            **{band: _where(bands == band) for band in miri().bands},
            **{f"{day:.0f} d": np.broadcast_to(np.array(DAYS) == day, _shape()) for day in DAYS},
        }
        for name, chosen in subsets.items():
            rows.append((method, name, *_figures(*(part[:, chosen] for part in grid))))
        for what, name in (("mean", MEAN), ("ratio", RATIOS)):
            rows.append((method, name, *_figures(*_stacked(records, what, method))))
    names = ("method", "subset", "n", "rmse_pct", "quoted_pct", "cover_68", "cover_95")
    table = Table(rows=rows, names=names)
    table.meta["title"] = "SIMULATED: errors of ln C over programs with known truth"
    table.meta["methods"] = METHODS
    return _rounded(table)


def quantity_table(records: Sequence[Record]) -> Table:
    """Return error and coverage of the model's own quantities."""
    rows = [
        (name, *_figures(*_joined([Score.from_dict(r["quantities"][name]) for r in records])))
        for name in records[0]["quantities"]
    ]
    table = Table(
        rows=rows, names=("quantity", "n", "rmse_pct", "quoted_pct", "cover_68", "cover_95")
    )
    table.meta["title"] = "SIMULATED: errors of the model's quantities, percent of the quantity"
    table.meta["note"] = "B in percent of A; tau and repeatability by their logarithm"
    return _rounded(table)


def criteria_table(records: Sequence[Record], coverage: Table, parameters: Table) -> Table:
    """Return what was asked of the study, what was found and its Monte-Carlo error.

    The error is the jackknife's over programs, whose rows share what they share.
    """
    rows = _criteria(records, coverage, parameters)
    without = []
    for left_out in range(len(records)):
        fewer = [record for k, record in enumerate(records) if k != left_out]
        found = _criteria(fewer, coverage_table(fewer), quantity_table(fewer))
        without.append([figure for _, figure, _, _ in found])
    table = Table(rows=rows, names=("criterion", "figure", "limit", "met"))
    error = np.std(without, axis=0) * np.sqrt(len(records) - 1)
    table.add_column(np.round(error, 3), index=2, name="error")
    table["figure"] = np.round(table["figure"], 3)
    table.meta["title"] = "SIMULATED: what was asked of the study, and what it found"
    return table


def _criteria(
    records: Sequence[Record], coverage: Table, parameters: Table
) -> list[tuple[str, float, str, bool]]:
    at = {(row["method"], row["subset"]): row for row in coverage}
    ours = at["mirical", "all"]
    rows: list[tuple[str, float, str, bool]] = []

    def within(name: str, value: float, low: float, high: float) -> None:
        rows.append((name, value, f"{low:g} to {high:g}", bool(low <= value <= high)))

    within("C: 68 % covers", ours["cover_68"], *POOLED_68)
    within("C: 95 % covers", ours["cover_95"], *POOLED_95)
    for name in (MEAN, RATIOS):
        within(f"{name}: 68 % covers", at["mirical", name]["cover_68"], *COVERED_68)
    worst = min((at["mirical", band]["cover_68"], band) for band in miri().bands)
    within(f"C: least covered band ({worst[1]}), 68 %", worst[0], BAND_COVERED, 1.0)
    worst = min(
        (at["mirical", band]["cover_68"], band)
        for band in miri().bands
        if band not in miri().imaging_bands
    )
    within(
        f"C: least covered of FND and coronagraphs ({worst[1]}), 68 %", worst[0], BAND_COVERED, 1
    )
    for row in parameters:
        within(f"{row['quantity']}: 68 % covers", row["cover_68"], *COVERED_68)
        within(f"{row['quantity']}: 95 % covers", row["cover_95"], *COVERED_95)
    for method, limit in (
        ("floor", AGAINST_FLOOR),
        ("staged-best", AGAINST_BEST),
        ("staged", AGAINST_STAGED),
        ("staged-mixed-best", AGAINST_BEST),
        ("staged-mixed", AGAINST_STAGED),
    ):
        ratio = float(ours["rmse_pct"] / at[method, "all"]["rmse_pct"])
        within(f"C: error over that of {method}", round(ratio, 3), 0, limit)
    far = [d for r in records for d in r["deviant"] if d["sigmas"] > FAR]
    share = float(np.mean([d["probability"] > FOUND for d in far]))
    within(f"deviant rows over {FAR:g} sigma found ({len(far)} rows)", share, FOUND_SHARE, 1)
    shifts = dust_shifts(records)
    if shifts.size:
        name = f"A of {', '.join(_LONG)}: rms shift by the disk, sigma ({len(shifts)} programs)"
        within(name, float(np.sqrt(np.mean(shifts**2))), 0, DUST_SHIFT)
    return rows


def dust_shifts(records: Sequence[Record]) -> NDArray[np.float64]:
    """Return the change of ln A of the long bands by the disk, in sigma: (program, band)."""
    long = [list(miri().bands).index(band) for band in _LONG]
    pairs = [
        [Score.from_dict(r[key]["A"]) for key in ("quantities", "without_disk")]
        for r in records
        if "without_disk" in r
    ]
    return np.array([(dusty.error - clean.error)[long] / dusty.std[long] for dusty, clean in pairs])


@rc_context(STYLE)
def coverage_figure(coverage: Table) -> Figure:
    """Draw error and coverage by band, for every method."""
    figure = blank(6.4, simulated=True)
    upper, lower = figure.subplots(2, 1, sharex=True)
    shown = {
        "mirical": ("mirical", OURS, "o"),
        "floor": ("floor", GREY, "_"),
        "staged": ("staged", PUBLISHED, "s"),
        "staged-best": ("staged, cleaned by hand, true D", PUBLISHED, "D"),
    }
    place = np.arange(len(miri().bands))
    for k, (method, (_, colour, marker)) in enumerate(shown.items()):
        mine = coverage[coverage["method"] == method]
        by_band = {row["subset"]: row for row in mine}
        hollow = {"mfc": "none"} if method == "staged-best" else {}
        style = {"color": colour, "marker": marker, "ls": "", "ms": 7} | hollow
        at = place + 0.12 * (k - 1.5)
        upper.plot(at, [by_band[band]["rmse_pct"] for band in miri().bands], **style)
        lower.plot(at, [by_band[band]["cover_68"] for band in miri().bands], **style)
    upper.set_ylim(0)
    upper.set_ylabel("Error of $C$, rms (%)")
    lower.axhspan(*COVERED_68, color=SHADE, lw=0)
    lower.axhline(0.68, color=GREY, lw=0.8)
    lower.set_ylim(0, 1)
    lower.set_ylabel("Truth within the 68 %")
    lower.set_xticks(place, list(miri().bands), rotation=45)
    handles = [
        Line2D(
            [], [], color=c, marker=m, ls="", label=label, mfc="none" if key == "staged-best" else c
        )
        for key, (label, c, m) in shown.items()
    ]
    legend_below(figure, handles, 4)
    return figure


def _where(bands: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.broadcast_to(bands[:, None, None], _shape())


def _joined(scores: Sequence[Score]) -> tuple[NDArray[Any], ...]:
    parts = ("error", "std", "inside")
    return tuple(np.concatenate([getattr(score, part) for score in scores]) for part in parts)


def _stacked(records: Sequence[Record], what: str, method: str) -> tuple[NDArray[Any], ...]:
    return _joined([Score.from_dict(record[what][method]) for record in records])


def _figures(
    error: NDArray[Any], std: NDArray[Any], inside: NDArray[Any]
) -> tuple[int, float, float, float, float]:
    rmse, quoted = (100 * float(np.sqrt(np.mean(v**2))) for v in (error, std))
    return error.size, rmse, quoted, float(np.mean(inside == 2)), float(np.mean(inside > 0))


def _rounded(table: Table) -> Table:
    for name in ("rmse_pct", "quoted_pct", "cover_68", "cover_95"):
        table[name] = np.round(table[name], 3)
    return table


def _shape() -> tuple[int, int, int]:
    return len(miri().bands), len(SUBARRAYS), len(DAYS)
