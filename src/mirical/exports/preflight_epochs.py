"""Checks of a photom reference file over time: against another file, and beyond its data."""

from __future__ import annotations

import numpy as np

from mirical.exports.preflight_file import ERROR, GENERIC, WARNING, Finding, PhotomFile

JUMP, LARGE_JUMP = 0.01, 0.05
"""Differences from another file's factor that an observer would notice, or must not meet."""
DRIFT = 0.05
"""Change of throughput since the last data that nobody has seen happen."""


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
