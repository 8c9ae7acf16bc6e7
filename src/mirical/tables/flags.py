"""Flags: why a row is not fitted, each with its sentence, and which rows get them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import QTable, Table
from numpy.typing import NDArray

from mirical.errors import InputError, did_you_mean
from mirical.instruments.instrument import Instrument
from mirical.tables.duplicates import repeat_reason, repeated_rows
from mirical.tables.formats import texts

FLAGS: dict[str, str] = {
    "": "used in the fit",
    "not_measured": "iflux, ifluxunc or time is missing, so there is nothing to fit",
    "unmeasured": "the image could not be measured; its reason says why",
    "saturated": "pixels of the aperture are saturated",
    "crowded": "a neighbour lies in the aperture or its annulus",
    "unknown_type": "the star's type is not known; give it in column srctype",
    "duplicate": "repeats an earlier row (star, band, subarray and mid-time are the same)",
    "inconsistent": (
        "iflux contradicts the row's own flux column: their ratio differs from that of the "
        "band's other rows by more than response loss and subarray terms can explain"
    ),
    "no_prediction": (
        "no predicted flux for this star and band; give a model_flux column or add the star "
        "to the predicted fluxes"
    ),
}
"""Sentence of every flag; the empty flag is a row that is fitted."""

_CONTRADICTION = 0.30  # the largest loss (22 %) and subarray term (3.4 %) together stay below


def stated_flags(raw: Table, source: str) -> list[str]:
    """Return the flags the table brings along: its rows are kept, and stay unfitted.

    Raises
    ------
    InputError
        If one is unknown.
    """
    stated = texts(raw["flag"]) if "flag" in raw.colnames else [""] * len(raw)
    for row, flag in enumerate(stated, start=1):
        if flag not in FLAGS:
            raise InputError(
                f"{source} row {row}: flag {flag!r} is unknown"
                f"{did_you_mean(flag, filter(None, FLAGS))} Leave it blank for a row to be fitted."
            )
    return stated


def own_reasons(raw: Table) -> list[str]:
    """Return the table's words for its flags, with the file each row came from."""
    columns = (
        raw[name] if name in raw.colnames else [""] * len(raw) for name in ("file", "reason")
    )
    return [
        ": ".join(filter(None, (file, reason))) if reason else ""
        for file, reason in zip(*map(texts, columns), strict=True)
    ]


def set_flags(table: QTable, needed: Sequence[str], instrument: Instrument) -> None:
    """Give every row its flag, the table's own before those that are found, and its reason.

    Without a number in one of the columns `needed` a row is not measured.
    """
    found = np.full(len(table), "", dtype=f"U{max(map(len, FLAGS))}")
    found[_contradicts(table)] = "inconsistent"
    measured = [table[column].value for column in needed]
    found[~np.all(np.isfinite(measured), axis=0)] = "not_measured"
    flags = [str(own or other) for own, other in zip(table["flag"], found, strict=True)]
    reasons = list(map(str, table["reason"]))
    for later, earlier in repeated_rows(table, flags, instrument).items():
        own = f"{flags[later]}, and " if flags[later] else ""
        own = f"{reasons[later]}; {own}" if reasons[later] else own
        reasons[later] = own + repeat_reason(table, later, earlier)
        flags[later] = "duplicate"
    table["flag"], table["reason"] = flags, reasons


def _contradicts(table: QTable) -> NDArray[np.bool_]:
    """Find rows whose flux/iflux is unlike that of their band's other rows."""
    found = np.zeros(len(table), dtype=bool)
    if "flux" not in table.colnames:
        return found
    flux, iflux = table["flux"].value, table["iflux"].value
    with np.errstate(over="ignore"):  # a ratio beyond all numbers is a contradiction
        ratio = flux / iflux
    measured = np.isfinite(flux) & np.isfinite(iflux)
    found[measured] = ~((ratio[measured] > 0) & np.isfinite(ratio[measured]))
    for band in dict.fromkeys(table["filter"]):
        rows = np.flatnonzero((np.asarray(table["filter"]) == band) & measured & ~found)
        if len(rows) > 1:
            found[rows] = np.abs(np.log(ratio[rows] / np.median(ratio[rows]))) > _CONTRADICTION
    return found
