"""Page of a comparison: what two calibrations differ by, in sentences, figures and factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astropy.table import QTable

from mirical.calibration.comparison import glance
from mirical.instruments.instrument import Instrument
from mirical.number_text import Sheet, measured, number, signed, text, value
from mirical.pages.page import page_of
from mirical.pages.pictures import Picture

PAGE = "comparison.html"


def render(
    factors: QTable,
    sentences: Sequence[str],
    instrument: Instrument,
    pictures: Mapping[str, Picture],
    files: Sequence[str],
) -> str:
    """Return the page; every text is escaped.

    Parameters
    ----------
    factors : QTable
        As `mirical.calibration.comparison.compare_factors` makes it, with its record.
    sentences : sequence of str
        What is said after `glance`.
    instrument : Instrument
        Whose factors.
    pictures : mapping of {str : Picture}
        Differences and comparison.
    files : sequence of str
        Names of the tables that stand beside the page.
    """
    content = {
        "attrs": factors.meta,
        "ours": factors.meta["ours"],
        "theirs": factors.meta["theirs"],
        "reference": instrument.reference,
        "sentences": [*glance(factors), *sentences],
        "factors": factor_sheet(factors, instrument),
        "pictures": pictures,
        "files": files,
    }
    return page_of(PAGE, content)


def factor_sheet(factors: QTable, instrument: Instrument) -> Sheet:
    """Return the factors of both calibrations at the epochs that were asked for."""
    ours, theirs = factors.meta["ours"], factors.meta["theirs"]
    lines = tuple(
        (
            text(row["filter"]),
            text(row["subarray"]),
            number(value(row["mjd"]), 1),
            measured(value(row["c"]), value(row["c_std"])),
            measured(value(row["c_other"]), value(row["c_other_std"])),
            signed(value(row["diff_pct"]), 1),
            signed(value(row["diff_sigma"]), 1),
        )
        for row in factors
    )
    heads = ("Band", "Subarray", "MJD", str(ours), str(theirs), "(%)", "(σ)")
    over = (("", 3), ("C", 2), ("Difference", 2))
    return Sheet(f"Factors, {instrument.factor_text}", heads, lines, over)
