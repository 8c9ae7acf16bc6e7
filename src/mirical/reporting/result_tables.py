"""Printed tables of a run's results, each beside what is published."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from astropy.table import QTable

from mirical.instruments.instrument import Instrument
from mirical.instruments.published import published_coefficients
from mirical.laws.timelaw import ADDITIVE, LAWS
from mirical.number_text import (
    DATA,
    NOTHING,
    Entry,
    Sheet,
    count,
    floats,
    measured,
    number,
    percent,
    rows_with,
    signed,
    stars_counted,
    text,
    value,
    words,
)
from mirical.plotting.marks import marks
from mirical.tables.free_stars import PREDICTED

Tables = Mapping[str, QTable]
"""A run's tables by name."""

_SIGNIFICANT = 2  # sigma from zero below which a colour term is greyed
_INSIGNIFICANT = f"within {_SIGNIFICANT} σ of zero"


_ZERO_POINT, _OF_PUBLISHED = 3, (7, 8, 9)
"""Columns of the sheet of factors that stand there where an instrument has them."""


def factor_sheet(tables: Tables, instrument: Instrument) -> Sheet:
    """Return the factors at the reference epoch beside the published ones."""
    coefficients = tables["coefficients"]
    of_band = dict(zip(words(coefficients["filter"]), coefficients, strict=True))
    fitted = rows_with(tables["rows"], "fate", "used")
    lines = []
    for row in rows_with(tables["comparison"], "quantity", "C_ref"):
        band, basis = str(row["filter"]), str(row["basis"])
        rows = rows_with(fitted, "filter", band)
        mine = of_band[band]
        ours, error = value(mine["C_ref"]), value(mine["C_ref_std"])
        lines.append(
            (
                text(band),
                number(instrument.bands[band].pivot, 3),
                measured(ours, error, basis),
                _zero_point(mine, basis),
                number(100 * error / ours, 1, basis),
                number(100 * value(mine["C_ref_relative_std"]) / ours, 1, basis),
                number(value(mine["aperture_pct"]), 2),
                measured(value(row["published"]), value(row["published_std"])),
                signed(value(row["diff_pct"]), 1, basis=basis),
                signed(value(row["diff_sigma"]), 1, basis=basis),
                stars_counted(mine),
                count(len(rows)),
                text(", ".join(dict.fromkeys(words(rows["subarray"])))),
            )
        )
    sheet = Sheet(
        f"C at MJD {coefficients.meta['C_ref_mjd']:.0f} in {instrument.reference}, "
        f"{instrument.factor_text}",
        (
            "Band",
            "λ (µm)",
            "C",
            f"{instrument.factor.view} zero point",
            "error (%)",
            "relative (%)",
            "aperture (%)",
            "C",
            "(%)",
            "(σ)",
            "Stars",
            "Rows",
            "Observed in",
        ),
        tuple(lines),
        groups=(("", 2), ("This run", 5), ("Published", 1), ("Difference", 2), ("Rests on", 3)),
    )
    kept = [i for i in range(len(sheet.heads)) if i != _ZERO_POINT or instrument.factor.view]
    return sheet.columns([i for i in kept if i not in _OF_PUBLISHED or instrument.published])


def _zero_point(row: QTable.Row, basis: str) -> Entry:
    if "zero_point" not in row.colnames:
        return Entry(NOTHING)
    return measured(value(row["zero_point"]), value(row["zero_point_std"]), basis)


_EQUATIONS = {ADDITIVE: "C(t) = A + B exp[−(t − t0)/τ]"} | {
    name: f"{law.equation}, x = t − t0, "
    f"{'B = C(t0) − A' if 'loss' in law.of_band else 'r the loss a year'}"
    for name, law in LAWS.items()
    if name != ADDITIVE
}
"""The time law as the coefficients' title states it."""


def coefficient_sheet(tables: Tables, law: str, instrument: Instrument) -> Sheet:
    """Return A, B, tau and repeatability beside the published ones, with the run's time law.

    A law without B and tau, or with a loss a year beside them, has the latter's column.
    """
    comparison, parameters = tables["comparison"], LAWS[law].of_band
    coefficients = tables["coefficients"]
    of_band = dict(zip(words(coefficients["filter"]), coefficients, strict=True))
    repeatability = _repeatability(coefficients, instrument)
    quantities = {"A": "A"} | ({"B": "B", "tau": "τ (d)"} if "loss" in parameters else {})
    rates = _loss_a_year(coefficients) if "loss_per_year" in parameters else {}
    lines = []
    for band in dict.fromkeys(words(comparison["filter"])):
        line = [text(band)]
        for quantity in quantities:
            row = rows_with(rows_with(comparison, "filter", band), "quantity", quantity)[0]
            published = measured(value(row["published"]), value(row["published_std"]))
            difference = value(row["diff_pct"]), value(row["diff_sigma"])
            ours = value(row["ours"]), value(row["ours_std"])
            if instrument.published is None:  # nothing rests on the same flux scale
                ours = ours[0], value(of_band[band][f"{quantity}_std"])
            line += _side_by_side(ours, published, difference, str(row["basis"]))
        lines.append((*line, *rates.get(band, ()), *repeatability[band]))
    over = [*quantities.values(), *(["Loss a year (%)"] if rates else []), "Repeatability (%)"]
    of_factors = "A and B" if "B" in quantities else "A"
    sheet = Sheet(
        f"Coefficients of {_EQUATIONS[law]}, {of_factors} in {instrument.factor_text}",
        ("Band", *("this run", "published", "difference") * len(over)),
        tuple(lines),
        groups=(("", 1), *((head, 3) for head in over)),
    )
    return sheet if instrument.published else sheet.columns([0, *range(1, len(sheet.heads), 3)])


def _repeatability(coefficients: QTable, instrument: Instrument) -> dict[str, list[Entry]]:
    theirs = dict.fromkeys(instrument.bands, np.nan)
    if instrument.published is not None:
        published = published_coefficients(instrument)
        names, printed = words(published["filter"]), floats(published["sigma_repeat_pct"])
        theirs |= dict(zip(names, printed, strict=True))
    entries = {}
    for row in coefficients:
        band = str(row["filter"])
        ours, error = value(row["repeatability_pct"]), value(row["repeatability_pct_std"])
        difference = 100 * (ours / theirs[band] - 1), (ours - theirs[band]) / error
        entries[band] = _side_by_side(
            (ours, error), number(theirs[band], 2), difference, str(row["repeatability_basis"])
        )
    return entries


def _loss_a_year(coefficients: QTable) -> dict[str, list[Entry]]:
    """Return each band's loss a year, of which nothing is published."""
    entries = {}
    for row in coefficients:
        ours, error = (value(row[f"loss_per_year_pct{end}"]) for end in ("", "_std"))
        basis = str(row["loss_per_year_basis"])
        entries[str(row["filter"])] = [measured(ours, error, basis), Entry(NOTHING), Entry(NOTHING)]
    return entries


def _side_by_side(
    ours: tuple[float, float], published: Entry, difference: tuple[float, float], basis: str
) -> list[Entry]:
    in_percent, sigma = (percent(difference[0]), signed(difference[1], 1, " σ").text)
    stated = "\n".join(part for part in (in_percent, sigma) if part != NOTHING)
    return [measured(*ours, basis), published, Entry(stated or NOTHING, basis)]


def predicted_stars(stars: QTable) -> QTable:
    """Return the stars that have a predicted flux, and so an offset of it."""
    return rows_with(stars, "flux", PREDICTED) if "flux" in stars.colnames else stars


def star_sheet(tables: Tables, instrument: Instrument) -> Sheet:
    """Return the offset of each star's predicted flux and its strongest colour term.

    Stars of unknown flux have neither.
    """
    lines, looks = [], marks(instrument)
    for row in predicted_stars(tables["stars"]):
        colour, colour_error = (value(row[f"largest_colour_pct{end}"]) for end in ("", "_std"))
        clear = abs(colour) > _SIGNIFICANT * colour_error
        offset, error = (value(row[f"offset_pct{end}"]) for end in ("", "_std"))
        lines.append(
            (
                text(row["name"]),
                text(looks[str(row["srctype"])].label),
                measured(offset, error, str(row["basis"])),
                count(row["n_rows"]),
                count(row["n_bands"]),
                text(row["largest_colour_band"]),
                measured(colour, colour_error, DATA if clear else _INSIGNIFICANT),
            )
        )
    return Sheet(
        "Offsets of the predicted fluxes; positive: predicted too bright",
        ("Star", "Type", "Offset (%)", "Rows", "Bands", "band", "offset there (%)"),
        tuple(lines),
        groups=(("", 5), ("Strongest colour term", 2)),
    )


def detector_sheet(tables: Tables) -> Sheet:
    """Return the detector terms that rows tell something of; no line if there are none."""
    lines = [
        (
            text(str(row["term"])),
            text(" ".join(filter(None, (str(row["filter"]), str(row["subarray"]))))),
            text(str(row["of"])),
            measured(value(row["effect_pct"]), value(row["effect_pct_std"])),
        )
        for row in tables.get("detector", ())
    ]
    names = ("Term", "Band or subarray", "Date or reduction", "Effect on C (%)")
    return Sheet("Detector terms", names, tuple(lines))
