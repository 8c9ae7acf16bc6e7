"""Report of a run: one page that carries its figures, and the figures beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from mirical.calibration.provenance import run_record
from mirical.instruments.instrument import Instrument
from mirical.instruments.published import published_throughput
from mirical.laws.timelaw import ADDITIVE, LAWS
from mirical.number_text import rows_with, words
from mirical.pages.chart import SCRIPT, chart_data
from mirical.pages.page import page_of
from mirical.pages.pictures import Picture, pictures_of
from mirical.plotting.canvas import labelled
from mirical.plotting.marks import OUTLIER
from mirical.reporting import curves, figures
from mirical.reporting.findings import (
    answer,
    bands_resting_on_subarrays,
    bands_without_rows,
)
from mirical.reporting.forecast import age, forecast_sheet
from mirical.reporting.method_tables import diagnostic_sheet, prior_sheet, provenance_sheet
from mirical.reporting.result_tables import (
    Tables,
    coefficient_sheet,
    detector_sheet,
    factor_sheet,
    predicted_stars,
    star_sheet,
)
from mirical.reporting.row_tables import (
    FAR,
    coverage_sheet,
    flagged_sheet,
    input_sheet,
    outlier_sheet,
)
from mirical.reporting.throughputs import BY_BAND, throughput_figure, throughput_sheet

if TYPE_CHECKING:
    from mirical.reporting.run import Run


def write_report(run: Run, folder: Path) -> None:
    """Write ``report.html``, complete in itself, and its figures as ``figures/*.png``.

    Parameters
    ----------
    run : Run
        What a job produced.
    folder : Path
        An existing folder.
    """
    simulated = bool(run.posterior.attrs["simulated"])
    drawn = pictures_of(draw(run.tables, run.instrument, simulated))
    known = run_record(run.posterior.attrs)
    (folder / "figures").mkdir()
    for name, picture in drawn.items():
        (folder / "figures" / f"{name}.png").write_bytes(labelled(picture.png, known))
    (folder / "report.html").write_text(render(run, drawn), encoding="utf-8")


def draw(tables: Tables, instrument: Instrument, simulated: bool) -> dict[str, Figure]:
    """Return the figures of a report by file name without ``.png``."""
    predictive, drawn, published = tables["predictive"], {}, {}
    if instrument.published is not None:
        published = published_throughput(instrument)
        compared = curves.factor_differences(tables["comparison"])
        drawn["differences"] = figures.factor_differences(compared, simulated)
    return drawn | {
        "curves": figures.factor_curves(tables["curves"], predictive, instrument, simulated),
        "stars": figures.star_offsets(tables["stars"], instrument, simulated),
        "subarrays": throughput_figure(tables, published, instrument, simulated),
        "predictive": figures.predictive_rows(predictive, instrument, simulated),
        "tails": figures.tail_shares(curves.tail_histogram(predictive), simulated),
    }


def render(run: Run, pictures: dict[str, Picture]) -> str:
    """Return the page; every text from a table or a card is escaped.

    Parameters
    ----------
    run : Run
        What a job produced.
    pictures : dict of {str : Picture}
        Its figures.
    """
    explored = {
        "explored": chart_data(run.tables, run.instrument, bool(run.posterior.attrs["simulated"]))
    }
    return page_of("report.html", _content(run) | explored | {"pictures": pictures}, [SCRIPT])


def _content(run: Run) -> dict[str, Any]:
    """Return everything the template names, ready to print."""
    tables, card = run.tables, run.inputs.card
    rows = tables["rows"]
    return {
        "job": run.job.name,
        "card": card,
        "attrs": run.posterior.attrs,
        "verdict": run.verdict,
        "answer": answer(tables, run.verdict, run.instrument),
        "no_data": bands_without_rows(tables["coefficients"]),
        "leaning": bands_resting_on_subarrays(tables, run.instrument),
        "n_rows": len(rows),
        "n_fitted": len(rows_with(rows, "fate", "used")),
        "n_flagged": len(rows_with(rows, "fate", "flagged")),
        "n_stars": len(set(words(rows["name"]))),
        "n_free": len(tables["stars"]) - len(predicted_stars(tables["stars"])),
        "by_band": BY_BAND in tables,
        "law": None if card.law == ADDITIVE else LAWS[card.law].equation,
        "t0": run.instrument.t0,
        "instrument": run.instrument,
        "deviant": OUTLIER,
        "far": FAR,
        "files": [f"{name}.ecsv" for name in tables],
        "card_file": f"{card.name}.toml",
        "factors": factor_sheet(tables, run.instrument),
        "errors": tables["coefficients"].meta["errors"],
        "age": age(tables["forecast"], float(tables["coefficients"].meta["C_ref_mjd"])),
        "forecast": forecast_sheet(tables["forecast"]),
        "coefficients": coefficient_sheet(tables, run.inputs.card.law, run.instrument),
        "inputs": input_sheet(tables, run.instrument),
        "flagged": flagged_sheet(tables, run.instrument),
        "deviants": outlier_sheet(tables),
        "stars": star_sheet(tables, run.instrument),
        "subarrays": throughput_sheet(tables, run.instrument),
        "detector": detector_sheet(tables),
        "coverage": coverage_sheet(
            curves.predictive_coverage(tables["predictive"], run.instrument)
        ),
        "diagnostics": diagnostic_sheet(run.verdict),
        "priors": prior_sheet(card),
        "provenance": provenance_sheet(run.job, run.posterior.attrs),
    }
