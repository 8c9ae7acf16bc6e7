"""Findings of a run, in sentences made from its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from mirical.chains.verdict import Verdict
from mirical.instruments.instrument import Instrument
from mirical.number_text import DATA, NOTHING, floats, rows_with, signed, value, words
from mirical.plotting.marks import OUTLIER
from mirical.reporting.result_tables import Tables

_NOTABLE = 2.0  # combined sigma beyond which a difference from the published factor is named
_NAMED = 3  # coefficients; more of them are only counted
_SYMBOLS = {"A": "A", "B": "B", "tau": "τ"}


def answer(tables: Tables, verdict: Verdict, instrument: Instrument) -> list[str]:
    """Return the answer of a run: what was fitted, how well, what differs, whether to believe it.

    Parameters
    ----------
    tables : dict of {str : QTable}
        The run's tables.
    verdict : Verdict
        Its diagnostics.
    instrument : Instrument
        Whose rows were fitted.
    """
    at_reference = rows_with(tables["comparison"], "quantity", "C_ref")
    return [
        _fitted(tables["rows"], instrument),
        _errors(tables["coefficients"], instrument),
        *([] if instrument.published is None else [_differences(at_reference)]),
        *_coefficients(tables["comparison"]),
        *verdict.sentences,
    ]


def bands_without_rows(coefficients: QTable) -> str:
    """Say which bands have no rows and therefore no numbers; empty if all have some."""
    missing = [str(row["filter"]) for row in coefficients if not np.isfinite(value(row["C_ref"]))]
    if not missing:
        return ""
    return f"No data, and therefore no numbers here: {listing(missing)}."


def bands_resting_on_subarrays(tables: Tables, instrument: Instrument) -> str:
    """Say which bands were seen only in subarrays whose throughput data do not decide."""
    subarrays = tables["subarrays"]
    judged = dict(zip(words(subarrays["subarray"]), words(subarrays["basis"]), strict=True))
    fitted = rows_with(tables["rows"], "fate", "used")
    leaning, through = [], []
    for band in instrument.bands:
        used = set(words(rows_with(fitted, "filter", band)["subarray"]))
        # What is not among the subarrays (masks), and the reference, has D = 1 by definition.
        if used and all(a != instrument.reference and judged.get(a, DATA) != DATA for a in used):
            leaning.append(band)
            through += sorted(used)
    if not leaning:
        return ""
    return (
        f"{listing(leaning)} {'was' if len(leaning) == 1 else 'were'} observed only in "
        f"{listing(list(dict.fromkeys(through)))}, whose throughput relative to "
        f"{instrument.reference} rests on the prior: so does that part of the factor's error in "
        f"{instrument.reference}."
    )


def listing(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: ``a, b and c``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``3 rows``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _fitted(rows: QTable, instrument: Instrument) -> str:
    used, flagged = (rows_with(rows, "fate", fate) for fate in ("used", "flagged"))
    deviant = int(np.sum(floats(used["outlier_probability"]) > OUTLIER))
    epochs = floats(used["time"])
    said = (
        f"{len(used)} of {counted(len(rows), 'row')} of photometry were fitted: "
        f"{counted(len(set(words(used['name']))), 'star')} in "
        f"{counted(len(set(words(used['filter']))), 'band')} out of {len(instrument.bands)}, "
        f"from MJD {epochs.min():.1f} to {epochs.max():.1f}"
    )
    if len(flagged):
        said += f"; {counted(len(flagged), 'row')} flagged and not fitted"
    if deviant:
        are = "is probably an outlier" if deviant == 1 else "are probably outliers"
        verb = "counts" if deviant == 1 else "count"
        said += f"; {deviant} of the fitted rows {are} and hardly {verb}"
    return said + "."


def _errors(coefficients: QTable, instrument: Instrument) -> str:
    sizes = [
        _ends(100 * floats(coefficients[name]) / floats(coefficients["C_ref"]))
        for name in ("C_ref_std", "C_ref_relative_std")
    ]
    meta = coefficients.meta
    kind = "absolute errors" if meta.get("flux_scale_pct") else "errors"
    return (
        f"Factors at MJD {meta['C_ref_mjd']:.0f} in {instrument.reference} have {kind} of "
        f"{sizes[0]}, and relative ones of {sizes[1]}."
    )


def _ends(percent: NDArray[np.float64]) -> str:
    ends = (f"{end:.1f}" for end in (np.nanmin(percent), np.nanmax(percent)))
    return f"{' to '.join(dict.fromkeys(ends))} %"


def _differences(at_reference: QTable) -> str:
    notable = _notable(at_reference)
    if len(notable):
        others = len(at_reference) - len(notable)
        agree = {0: "", 1: "; the other agrees within that"}.get(
            others, f"; the other {others} agree within that"
        )
        return (
            f"Different from the published factors by more than {_NOTABLE:g} σ: "
            f"{listing([_difference(row) for row in notable])}{agree}."
        )
    largest = at_reference[int(np.nanargmax(np.abs(floats(at_reference["diff_sigma"]))))]
    return (
        f"None differs from the published factor by more than {_NOTABLE:g} σ (of both errors "
        f"combined); the largest in σ is {_difference(largest)}."
    )


def _coefficients(comparison: QTable) -> list[str]:
    others = comparison[np.asarray(comparison["quantity"]) != "C_ref"]
    notable = _notable(others)
    if len(notable) > _NAMED:
        return [
            f"Of the coefficients A, B and τ, {len(notable)} of {len(others)} are more than "
            f"{_NOTABLE:g} σ from published, see below."
        ]
    named = [f"{_SYMBOLS[str(row['quantity'])]} of {_difference(row)}" for row in notable]
    if not named:
        return []
    return [f"Of the coefficients, more than {_NOTABLE:g} σ from published: {listing(named)}."]


def _notable(compared: QTable) -> QTable:
    return compared[np.abs(floats(compared["diff_sigma"])) > _NOTABLE]


def _difference(row: QTable.Row) -> str:
    percent, sigma = (value(row[f"diff_{unit}"]) for unit in ("pct", "sigma"))
    parts = [signed(percent, 1, " %").text, signed(sigma, 1, " σ").text, str(row["basis"])]
    return f"{row['filter']} ({', '.join(p for p in parts if p not in (NOTHING, DATA))})"
