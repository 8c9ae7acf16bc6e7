"""Checks of a photom reference file's rows: completeness and values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mirical.calibration.published import PublishedCalibration
from mirical.errors import did_you_mean
from mirical.exports.preflight_file import (
    ERROR,
    GENERIC,
    PHOTOM,
    WARNING,
    Finding,
    PhotomFile,
    is_numbers,
    known_filters,
    known_subarrays,
)
from mirical.instruments.miri import miri

Floats = NDArray[np.float64]

FAR, UNUSUAL = 1.4, 1.1
"""Ratios to the published factor that no calibration of the band has, or few."""
SUBARRAY_RANGE = 0.1
"""Difference from FULL that no subarray's throughput makes; the published are 0.034 at most."""
LATE_MJD = 62000.0
"""When the published losses are over."""
LEFT_IN_RATES = (
    "the pipeline says COMPLETE and leaves such images in DN/s, with a warning in its log alone"
)


def missing(file: PhotomFile) -> list[Finding]:
    """Find bands and subarrays without a row."""
    there = set(file.pairs)
    bands = [band for band in miri().bands if band not in file.rows_of]
    core, newer = [], []
    for band in file.rows_of:
        if (band, GENERIC) in there:
            continue
        for subarray in miri().readouts(band):
            if (band, subarray) not in there:
                kept = core if subarray in _core(band) else newer
                kept.append((band, subarray))
    found = []
    if bands:
        sentence = f"no row of {', '.join(bands)}: {LEFT_IN_RATES}; add the rows."
        found.append(Finding("missing-band", ERROR, PHOTOM, sentence))
    for code, severity, lacking in (
        ("missing-row", ERROR, core),
        ("missing-newer-row", WARNING, newer),
    ):
        if lacking:
            sentence = f"no row of {_by_subarray(lacking)}: {LEFT_IN_RATES}; add the rows."
            found.append(Finding(code, severity, PHOTOM, sentence))
    return found


def duplicates(file: PhotomFile) -> list[Finding]:
    """Find rows of the same filter and subarray."""
    times, subarrays = Counter(file.pairs), known_subarrays()
    marked = [times[pair] > 1 and pair[1] in subarrays for pair in file.pairs]
    sentence = (
        "several rows of one filter and subarray: the pipeline stops with "
        "MatchFitsTableRowError at such images; keep one."
    )
    return file.of_rows(np.array(marked), "duplicate-row", ERROR, sentence)


def names(file: PhotomFile) -> list[Finding]:
    """Find names that no exposure has, or not in this form."""
    found = []
    for column, known in (("filter", known_filters()), ("subarray", known_subarrays())):
        written = [str(name).rstrip() for name in file.photom[column]]
        plain = [name.strip().upper() for name in written]
        found += file.of_rows(
            np.array([name != name.lstrip() for name in written]),
            "blank-before-name",
            ERROR,
            f"blanks before the {column}: the pipeline finds no such row, says COMPLETE and "
            "leaves the images in DN/s; remove them.",
        )
        found += file.of_rows(
            np.array([name != name.upper() for name in written]),
            "lower-case-name",
            WARNING,
            f"{column} not in upper case: the installed pipeline does not mind, other readers "
            "find no such row; write it in upper case.",
        )
        for name in dict.fromkeys(plain):
            if name not in known:
                rows = np.array([name == one for one in plain])
                found += file.of_rows(rows, *_unknown(column, name, known))
    return found


def factors(file: PhotomFile) -> list[Finding]:
    """Find factors that cannot be, or are not those of their band and subarray."""
    bad = ~(np.isfinite(file.photmjsr) & (file.photmjsr > 0))
    sentence = (
        "photmjsr is not a positive number: the pipeline multiplies the images by it all the same; "
        "give a factor in (MJy/sr)/(DN/s/pixel)."
    )
    found = file.of_rows(bad, "bad-factor", ERROR, sentence)
    ratio = np.full(len(file), np.nan)
    to_full = np.full(len(file), np.nan)
    for band, (reference, late) in _published().items():
        rows = file.rows_of.get(band, np.empty(0, dtype=int))
        # Without a time law, a factor may be that of any epoch.
        known = np.clip(file.level[rows], reference, late) if not file.times else reference
        ratio[rows] = file.level[rows] / known
        full = [k for k in rows if file.pairs[k][1] == miri().subarrays[0] and not bad[k]]
        if full:
            to_full[rows] = file.photmjsr[rows] / file.photmjsr[full[0]] - 1
    ratio[bad] = to_full[bad] = np.nan
    off = np.exp(np.abs(np.log(ratio)))
    for code, severity, marked, advice in (
        ("far-factor", ERROR, off > FAR, "rows of two bands exchanged, or another unit?"),
        (
            "unusual-factor",
            WARNING,
            (off > UNUSUAL) & (off <= FAR),
            "make sure that the rows are those of the band and the epoch is right.",
        ),
    ):
        if np.any(marked):
            worst = int(np.nanargmax(np.where(marked, off, np.nan)))
            sentence = (
                f"the factor at MJD {miri().reference_mjd:.0f} is {ratio[worst]:.3g} times the "
                f"published one ({' in '.join(file.pairs[worst])}), and the pipeline applies it: "
                f"{advice}"
            )
            found += file.of_rows(marked, code, severity, sentence)
    beyond = (np.abs(to_full) > SUBARRAY_RANGE) & ~(off > FAR)
    if np.any(beyond):
        worst = int(np.nanargmax(np.where(beyond, np.abs(to_full), np.nan)))
        sentence = (
            f"photmjsr differs from that of FULL by {100 * to_full[worst]:+.1f} % "
            f"({' in '.join(file.pairs[worst])}), more than any subarray's throughput does; the "
            "pipeline applies it: check the row."
        )
        found += file.of_rows(beyond, "subarray-ratio", WARNING, sentence)
    return found


def uncertainties(file: PhotomFile) -> list[Finding]:
    """Find uncertainties that cannot be, or are not in the unit of the factor."""
    unread = "the pipeline does not read it, but whoever propagates errors does"
    column = file.photom.get("uncertainty")
    if column is None or not is_numbers(column):
        return []  # the pipeline stops at such a column, see `preflight.columns`
    values = column.astype(float)
    fine = np.isfinite(values) & (values > 0)
    sentence = f"uncertainty is not a positive number: {unread}; give a standard deviation."
    found = file.of_rows(~fine, "bad-uncertainty", WARNING, sentence)
    usable = fine & np.isfinite(file.photmjsr) & (file.photmjsr > 0)
    if not np.any(usable):
        return found
    relative = np.where(usable, values, np.nan) / np.where(usable, file.photmjsr, 1.0)
    # Factors span a hundredfold: errors of the same fraction do too, unless written as fractions.
    if np.std(np.log(values[usable])) < 0.5 * np.std(np.log(relative[usable])):
        sentence = (
            "uncertainty does not follow the factor from band to band: it looks like a fraction or "
            f"percent of it; {unread}: write it in the factor's unit."
        )
        return found + file.of_rows(usable, "relative-uncertainty", WARNING, sentence)
    for code, marked, what in (
        ("large-uncertainty", relative > 0.2, "over 20 % of the factor: given in percent?"),
        ("small-uncertainty", relative < 1e-4, "under 0.01 % of the factor: another unit?"),
    ):
        found += file.of_rows(
            marked, code, WARNING, f"uncertainty is {what} {unread.capitalize()}; check its unit."
        )
    return found


ROWS = (missing, duplicates, names, factors, uncertainties)


def _core(band: str) -> set[str | None]:
    """Return the subarrays a band is used in every week: without their rows, images are lost."""
    full, *_ = miri().subarrays
    acquisition = {"SLITLESSPRISM"} if "SLITLESSPRISM" in miri().readouts(band) else set()
    others = (
        set(miri().subarrays) if miri().bands[band].kind == "imaging" else {miri().bands[band].mask}
    )
    return {full} | others | acquisition


def _by_subarray(pairs: Sequence[tuple[str, str]]) -> str:
    """Return pairs as text, those of the same bands together."""
    bands: dict[str, list[str]] = {}
    for band, subarray in pairs:
        bands.setdefault(subarray, []).append(band)
    same: dict[tuple[str, ...], list[str]] = {}
    for subarray, of in bands.items():
        same.setdefault(tuple(of), []).append(subarray)
    return "; ".join(f"{', '.join(of)} in {', '.join(names)}" for of, names in same.items())


def _unknown(column: str, name: str, known: Sequence[str]) -> tuple[str, str, str]:
    """Return code, severity and sentence for a name that no exposure has."""
    cut = [one for one in known if name and one.startswith(name)]
    if column == "subarray" and cut:
        sentence = (
            f"subarray {name!r} is {' or '.join(cut)} cut short, by a column too narrow: for those "
            f"{LEFT_IN_RATES}; write the column 17 characters wide."
        )
        return "truncated-subarray", ERROR, sentence
    sentence = (
        f"{column} {name!r} is none the imager has: the pipeline never takes this row"
        f"{did_you_mean(name, known)}"
    )
    return f"unknown-{column}", WARNING, sentence


def _published() -> dict[str, tuple[float, float]]:
    """Return each band's published factor in FULL, at the reference epoch and late."""
    calibration = PublishedCalibration(miri())
    reference, late = (
        calibration.at(calibration.in_reference(calibration.bands, mjd)).mean
        for mjd in (miri().reference_mjd, LATE_MJD)
    )
    return dict(zip(calibration.bands, zip(reference, late, strict=True), strict=True))
