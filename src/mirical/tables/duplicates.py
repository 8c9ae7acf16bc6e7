"""Duplicate rows: one observation of a star that stands in a table twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.instruments.instrument import Instrument

SAME_TIME = 3.0
"""Seconds within which mid-times of one star, band and subarray are one observation's.

Where both rows state their integration time, half the shorter one if that is less: mid-times of
two integrations of one detector are at least an integration apart.
"""

_SINGLE = 1e-6  # relative; what single precision leaves of a number, doubled
_INTERVAL = 0.01  # days; more than a time loses in single precision, and than SAME_TIME
_DAY = 86400.0

Floats = NDArray[np.float64]


def repeated_rows(table: QTable, flags: Sequence[str], instrument: Instrument) -> dict[int, int]:
    """Return which rows are an observation that an earlier row has, and that row.

    An observation is a star, band, subarray and mid-time (`SAME_TIME`); its count rate may come
    out otherwise in another reduction. Times in single precision are good to minutes only: they
    are one observation's if count rate and error agree in single precision as well. Rows of
    other flags are compared with those of the same flag alone (and the same reason, if nothing
    was measured): what is fitted is never said to repeat what is not.

    Parameters
    ----------
    table : QTable
        Rows with name, filter, subarray, time [d], iflux, ifluxunc, reason and optionally
        inttime [s].
    flags : sequence of str
        Flag of each row, empty for those to be fitted.
    instrument : Instrument
        Which readouts are one.

    Returns
    -------
    dict of {int : int}
        Index of the earlier row by index of the later one.
    """
    time, counts = table["time"].to_value("d"), table["iflux"].value
    texts = (list(map(str, table[name])) for name in ("name", "filter", "subarray", "reason"))
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i, (star, band, subarray, reason, flag) in enumerate(zip(*texts, flags, strict=True)):
        if np.isfinite(time[i]) and star and band:
            one = subarray in instrument.unit_subarrays
            term = instrument.reference if one else subarray
            # Without a count rate only the words can tell whether two images are one.
            words = "" if np.isfinite(counts[i]) else reason
            groups[star, band, term, flag, words].append(i)
    found: dict[int, int] = {}
    for members in groups.values():
        if len(members) > 1:
            found |= _repeats(table, time, members)
    return found


def _repeats(table: QTable, time: Floats, members: Sequence[int]) -> dict[int, int]:
    """Find repeats among rows of one star, band and subarray, in table order."""
    inttime = table["inttime"].to_value("s") if "inttime" in table.colnames else None
    counts = table["iflux"].value, table["ifluxunc"].value
    single = time.astype(np.float32)
    found: dict[int, int] = {}
    kept: dict[int, list[int]] = defaultdict(list)  # by interval of time, for long tables
    for i in members:
        interval = int(time[i] // _INTERVAL)
        near = np.array([k for d in (-1, 0, 1) for k in kept.get(interval + d, [])], dtype=int)
        allowed = np.full(len(near), SAME_TIME)
        if inttime is not None:
            half = np.minimum(inttime[near], inttime[i]) / 2
            allowed = np.where(half > 0, np.minimum(allowed, half), allowed)
        through = (single[near] == time[i]) | (single[i] == time[near])
        agree = [np.abs(each[near] - each[i]) <= _SINGLE * np.abs(each[i]) for each in counts]
        same = np.abs(time[near] - time[i]) * _DAY <= allowed
        same |= through & agree[0] & agree[1]
        if np.any(same):
            found[i] = int(np.min(near[same]))
        else:
            kept[interval].append(i)
    return found


def repeat_reason(table: QTable, later: int, earlier: int) -> str:
    """Say which row a row repeats, how near in time and count rate it is, and what to do."""
    apart = abs((table["time"][later] - table["time"][earlier]).to_value("s"))
    said = f"the same observation as row {table['row'][earlier]}: mid-times {apart:.1f} s apart"
    change = (table["iflux"][later] / table["iflux"][earlier]).value - 1
    if np.isfinite(change):
        said += f", iflux {100 * change:+.2g} %"
    return f"{said}; if it is another exposure, give mid-times to the second"
