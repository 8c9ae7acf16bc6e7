"""Checks of a photom reference file over time: its time tables, another file, later epochs.

MIRI's throughput falls with time, by less than a third, and in the same way in all
subarrays of a band.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from mirical.calibration.published import PublishedCalibration
from mirical.errors import did_you_mean
from mirical.exports.preflight_file import (
    ERROR,
    GENERIC,
    NAMES,
    PHOTOM,
    TIME_TABLES,
    WARNING,
    Finding,
    PhotomFile,
)
from mirical.instruments.miri import miri
from mirical.laws.pipeline_throughput import FUNCTIONS

Floats = NDArray[np.float64]

MISSION = (59573.0, 70000.0)
"""Epochs a zero point may be at, MJD: from JWST's launch on."""
TAU_RANGE = (19.0, 3100.0)
"""Time constants that the data can tell from a step or a constant, d."""
RISE, SLIGHT_RISE = 0.02, 0.005
"""Rises of the throughput that are an error, or within one's reach."""
LATE_MJD, LOSS_RANGE = 61000.0, 0.05
"""Where losses since the reference epoch are compared with published ones, how far off is odd."""
_COEFFICIENTS = {"t0", *(name for names, _ in FUNCTIONS.values() for name in names)} - {"const"}
JUMP, LARGE_JUMP = 0.01, 0.05
"""Differences from another file's factor that an observer would notice, or must not meet."""
DRIFT = 0.05
"""Change of throughput since the last data that nobody has seen happen."""


def unread(file: PhotomFile) -> list[Finding]:
    """Find time tables the pipeline does not read, or none at all."""
    read = [name for name in TIME_TABLES if name in file.tables]
    found = []
    for name, columns in file.tables.items():
        if name in TIME_TABLES or name == PHOTOM:
            continue
        if not name.startswith("TIME") and not _COEFFICIENTS & set(columns):
            continue
        if name == "TIMECOEFF":
            # Beside one that is read, it serves older pipelines and harms nobody.
            severity = WARNING if read else ERROR
            sentence = (
                "a time table as older pipelines read it: the installed one ignores it without a "
                "word; convert it to a TIMECOEFF_EXPONENTIAL table, which is of the throughput."
            )
            found.append(Finding("old-time-table", severity, name, sentence))
        else:
            sentence = (
                "time coefficients under a name the pipeline does not know: it ignores them "
                f"without a word{did_you_mean(name, TIME_TABLES)}"
            )
            found.append(Finding("misspelt-time-table", ERROR, name, sentence))
    if not read and not found:
        sentence = (
            "no time table: the pipeline applies photmjsr at every epoch, though MIRI's response "
            "falls, by 22 % at F2550W; add TIMECOEFF_EXPONENTIAL."
        )
        found.append(Finding("no-time-dependence", WARNING, "file", sentence))
    return found


def rows_match(file: PhotomFile) -> list[Finding]:
    """Find time tables whose rows are not those of PHOTOM."""
    found = []
    for table in (name for name in TIME_TABLES if name in file.tables):
        columns = file.tables[table]
        if not set(NAMES) <= set(columns):
            continue  # the check of columns has said so
        number = len(columns["filter"])
        stops = "the pipeline stops with ValueError at every image"
        if number != len(file):
            sentence = (
                f"{number} rows where PHOTOM has {len(file)}: {stops}; write a row for each of "
                "PHOTOM's, in its order."
            )
            found.append(Finding("time-table-length", ERROR, table, sentence))
            continue
        sentence = (
            f"rows are named otherwise than PHOTOM's of the same number: {stops}; bring them "
            "into the same order."
        )
        found += file.of_rows(~file.named_alike(table), "time-table-order", ERROR, sentence, table)
    return found


def coefficients(file: PhotomFile) -> list[Finding]:
    """Find coefficients that cannot be."""
    found = []
    for function, of in file.times.items():
        table = f"TIMECOEFF_{function.upper()}"
        for marked, code, severity, sentence in _coefficient_faults(file, function, of):
            found += file.of_rows(marked, code, severity, sentence, table)
    zeros = np.unique([of["t0"] for of in file.times.values()]) if file.times else np.empty(0)
    if len(zeros) > 1:
        shown = ", ".join(f"{t:g}" for t in zeros[:4]) + (", ..." if len(zeros) > 4 else "")
        sentence = (
            f"t0 differs among rows or tables ({shown}): the pipeline counts each from its own; "
            "make sure that the coefficients do as well."
        )
        found.append(Finding("mixed-t0", WARNING, "time tables", sentence))
    return found


def throughput(file: PhotomFile) -> list[Finding]:
    """Find relative throughputs that cannot be, epoch by epoch."""
    values = file.throughput
    possible = np.all(np.isfinite(values) & (values > 0), axis=0)
    sentence = (
        "the relative throughput is not a positive number at some epoch in "
        f"{_span(file)}: the pipeline divides by it all the same; correct the coefficients."
    )
    found = file.of_rows(~possible, "impossible-throughput", ERROR, sentence)
    sane = np.where(possible, values, 1.0)
    far = np.abs(sane - 1).max(axis=0)
    if np.any(far > 0.5):
        k = int(far.argmax())
        extreme = sane[np.abs(sane[:, k] - 1).argmax(), k]
        sentence = (
            f"the relative throughput reaches {extreme:.3g} ({' in '.join(file.pairs[k])}), where "
            "it stays near 1: the pipeline divides photmjsr by it; was a level divided out twice?"
        )
        found += file.of_rows(far > 0.5, "far-throughput", ERROR, sentence)
    rise = (sane / np.minimum.accumulate(sane, axis=0) - 1).max(axis=0)
    for marked, severity in (
        (rise > RISE, ERROR),
        ((rise > SLIGHT_RISE) & (rise <= RISE), WARNING),
    ):
        k = int(np.where(marked, rise, 0).argmax())
        sentence = (
            f"the throughput rises with time, by {100 * rise[k]:.1f} % "
            f"({' in '.join(file.pairs[k])}), and MIRI only loses: the pipeline corrects the "
            "wrong way; coefficients are of the throughput, not of the factor: check their sign."
        )
        found += file.of_rows(marked, "rising-throughput", severity, sentence)
    return found


def one_law_a_band(file: PhotomFile) -> list[Finding]:
    """Find rows whose throughput goes otherwise than that of the other rows of their band."""
    curves = file.throughput
    typical = {band: np.median(curves[:, rows], axis=1) for band, rows in file.rows_of.items()}
    odd, likeness = [], ""
    for band, rows in file.rows_of.items():
        for k in rows:
            if _apart(curves[:, k], typical[band]) > 1e-3:
                odd.append(k)
                like = [b for b, of in typical.items() if _apart(curves[:, k], of) < 1e-5]
                if like and not likeness:
                    likeness = f" (those of {' in '.join(file.pairs[k])} are the ones of {like[0]})"
    sentence = (
        f"time coefficients differ between subarrays of one band{likeness}: the pipeline applies "
        "them as they are; the detector's loss does not know subarrays: check the rows."
    )
    return file.of_rows(np.array(odd, dtype=int), "time-law-of-subarray", WARNING, sentence)


def losses(file: PhotomFile) -> list[Finding]:
    """Find bands whose loss is far from the published one."""
    if not file.times:
        return []
    expected = PublishedCalibration(miri())
    early, late = file.throughput_at(np.array([miri().reference_mjd, LATE_MJD]))
    with np.errstate(all="ignore"):
        kept = late / early
    marked, worst = [], (0.0, "")
    for band, rows in file.rows_of.items():
        first, last = expected.at(
            expected.in_reference(band, [miri().reference_mjd, LATE_MJD])
        ).mean
        off = kept[rows] - first / last
        # Rows that rise have a finding of their own.
        beyond = (np.abs(off) > LOSS_RANGE) & (kept[rows] < 1 + SLIGHT_RISE)
        marked += list(rows[beyond])
        if np.any(beyond) and np.abs(off[beyond]).max() > worst[0]:
            k = rows[beyond][np.abs(off[beyond]).argmax()]
            lost, usual = 100 * (1 - kept[k]), 100 * (1 - first / last)
            worst = float(np.abs(off[beyond]).max()), f"{band}: {lost:.1f} %, not {usual:.1f} %"
    sentence = (
        f"the loss from MJD {miri().reference_mjd:.0f} to {LATE_MJD:.0f} is far from the published "
        f"one ({worst[1]}): the pipeline applies it; make sure that the rows are those of the band."
    )
    return file.of_rows(np.array(marked, dtype=int), "unusual-loss", WARNING, sentence)


TIMES = (unread, rows_match, coefficients, throughput, one_law_a_band, losses)


def _coefficient_faults(
    file: PhotomFile, function: str, of: Mapping[str, Floats]
) -> Iterator[tuple[NDArray[np.bool_], str, str, str]]:
    """Yield marked rows, code, severity and sentence for each coefficient of a function."""
    applied = "the pipeline applies it all the same"
    first, last = MISSION
    t0 = of["t0"]
    sentence = (
        f"t0 is outside the mission (MJD {first:.0f} to {last:.0f}): {applied}, and the loss is "
        "that of another age; give the MJD, which is the JD less 2400000.5."
    )
    yield ~((t0 >= first) & (t0 <= last)), "t0-outside-mission", ERROR, sentence
    if function == "exponential":
        tau = of["tau"]
        sentence = f"tau is not a positive number of days: {applied}; correct it."
        yield ~((tau > 0) & np.isfinite(tau)), "bad-tau", ERROR, sentence
        low, high = TAU_RANGE
        sentence = (
            f"tau is not between {low:.0f} and {high:.0f} d, where MIRI's are: {applied}; is it "
            "in days?"
        )
        odd = (tau > 0) & np.isfinite(tau) & ~((tau >= low) & (tau <= high))
        yield odd, "unusual-tau", WARNING, sentence
    if function == "powerlaw":
        soft, year = of["tsoft"], of["year1value"]
        start = file.span[0] - t0 + soft
        sentence = (
            "tsoft is not positive, or does not carry t - t0 + tsoft above zero at every epoch in "
            f"{_span(file)}: the pipeline raises a negative number to a power; make it larger."
        )
        yield ~((soft > 0) & (start > 0)), "bad-tsoft", ERROR, sentence
        sentence = (
            "year1value is not a positive number: it is the throughput a year after t0, and the "
            "pipeline divides photmjsr by it; correct it."
        )
        yield ~((year > 0) & np.isfinite(year)), "bad-year1value", ERROR, sentence
        sentence = (
            "year1value is over 1.05, the throughput a year after t0 relative to photmjsr's: the "
            "pipeline applies it; is it the factor's?"
        )
        yield (year > 1.05) & np.isfinite(year), "unusual-year1value", WARNING, sentence


def _apart(one: Floats, other: Floats) -> float:
    """Return the largest relative difference of two curves; zero where one is impossible."""
    with np.errstate(all="ignore"):
        return float(np.nan_to_num(np.abs(one / other - 1), posinf=0.0).max())


def _span(file: PhotomFile) -> str:
    return f"MJD {file.span[0]:.0f} to {file.span[1]:.0f}"


def jumps(file: PhotomFile, other: PhotomFile) -> list[Finding]:
    """Find rows that differ from another file's, or are lost."""
    here, there = (
        {pair: k for k, pair in reversed(list(enumerate(of.pairs)))} for of in (file, other)
    )
    lost = [pair for pair in there if pair not in here and (pair[0], GENERIC) not in here]
    found = []
    if lost:
        named = ", ".join(" in ".join(pair) for pair in lost[:3])
        rest = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        sentence = (
            f"rows of {other.name} that are lost: {named}{rest}: the pipeline leaves such images "
            "in DN/s; add the rows."
        )
        found.append(Finding("lost-row", ERROR, "PHOTOM", sentence))
    both = [pair for pair in dict.fromkeys(file.pairs) if pair in there]
    rows = np.array([here[pair] for pair in both], dtype=int)
    others = np.array([there[pair] for pair in both], dtype=int)
    with np.errstate(all="ignore"):
        ours = file.photmjsr[rows] / file.throughput[:, rows]
        change = ours / (other.photmjsr[others] / other.throughput[:, others]) - 1
    # What is no factor at all has findings of its own.
    change = np.where(np.isfinite(change), change, 0.0)
    size = np.abs(change).max(axis=0)
    for marked, severity in (
        (size > LARGE_JUMP, ERROR),
        ((size > JUMP) & (size <= LARGE_JUMP), WARNING),
    ):
        if np.any(marked):
            at = int(np.where(marked, size, 0).argmax())
            epoch = int(np.abs(change[:, at]).argmax())
            sentence = (
                f"the factor differs from that of {other.name} by "
                f"{100 * change[epoch, at]:+.1f} % at most, {' in '.join(both[at])} at MJD "
                f"{file.mjd[epoch]:.0f}: images calibrated with the two will not agree; say why "
                "in the description, or correct the row."
            )
            found += file.of_rows(rows[marked], "jump", severity, sentence)
    return found


def beyond_the_data(file: PhotomFile) -> list[Finding]:
    """Find epochs of the span that no data are behind, where the file says what it was fitted to.

    A file that does not say has no such finding.
    """
    if file.fitted is None:
        return []
    (first, last), (start, end) = file.span, file.fitted
    found = []
    if first < start or last > end:
        sentence = (
            f"fitted to rows from MJD {start:.1f} to {end:.1f}: factors of the rest of MJD "
            f"{first:.0f} to {last:.0f} are extrapolated, and the pipeline applies them without "
            "saying so; allow for it, or refit when there are new data."
        )
        found.append(Finding("extrapolated", WARNING, "HISTORY", sentence))
    if last > end:
        seen, then = file.throughput_at(np.array([end, last]))
        with np.errstate(all="ignore"):
            change = then / seen - 1
        change = np.where(np.isfinite(change), change, 0.0)
        worst = int(np.abs(change).argmax())
        sentence = (
            f"the throughput changes by {100 * change[worst]:+.1f} % after the last data, to MJD "
            f"{last:.0f} ({' in '.join(file.pairs[worst])}): the pipeline applies what nobody has "
            "measured; check against newer observations."
        )
        found += file.of_rows(np.abs(change) > DRIFT, "drifts-beyond-data", WARNING, sentence)
    return found
