"""Page and folder of rival models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import QTable

from mirical.number_text import Sheet, count, floats, number, percent, rows_with, text, words
from mirical.pages.page import page_of
from mirical.pages.page_folder import write_page
from mirical.pages.pictures import Picture, pictures_of
from mirical.rivals.comparison import STACK, ModelComparison
from mirical.rivals.figures import forecast_figure, hindcast_figure, model_figure, years
from mirical.rivals.fits import LADDER, TIME_LAWS
from mirical.rivals.stacking import CLOSE, too_close

_TERMS = {
    "no-visit": "the visit term",
    "no-subarray-band": "subarray ratios of each band's own",
}
"""What the hierarchical card has and a rung of the ladder has not."""


def write_models(compared: ModelComparison, folder: Path) -> None:
    """Write ``rivals.html``, its tables and ``figures/``, all or nothing.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    tables, simulated = compared.tables, compared.simulated
    drawn = {
        "models": model_figure(tables["models"], simulated),
        "forecast": forecast_figure(tables["forecast"], compared.instrument, simulated),
    }
    if "hindcasts" in tables:
        drawn["hindcasts"] = hindcast_figure(tables["hindcasts"], simulated)
    pictures = pictures_of(drawn)
    write_page(compared, "rivals.html", render(compared, pictures), pictures, folder)


def render(compared: ModelComparison, pictures: dict[str, Picture]) -> str:
    """Return the page; every text from a table is escaped."""
    tables = compared.tables
    content = {
        "name": compared.name,
        "attrs": compared.attrs,
        "instrument": compared.instrument,
        "sentences": sentences(compared),
        "models": model_sheet(tables["models"]),
        "close": CLOSE,
        "hindcasts": hindcast_sheet(tables["hindcasts"]) if "hindcasts" in tables else None,
        "pictures": pictures,
    }
    return page_of("rivals.html", content)


def sentences(compared: ModelComparison) -> tuple[str, ...]:
    """Return what the comparison comes to: models, stack, forecast, hindcasts."""
    models = compared.tables["models"]
    return (
        *_of_models(models),
        _of_stack(models),
        *_of_forecast(compared.tables["forecast"]),
        *_of_hindcasts(compared.tables.get("hindcasts")),
        *(
            f"The fit of {line['model']} must not be believed ({line['problem']}); it is left out."
            for line in models
            if line["problem"]
        ),
    )


def _of_models(models: QTable) -> list[str]:
    sound = models[np.isfinite(floats(models["elpd"]))]
    best = str(sound["model"][0])
    behind, error = floats(sound["behind"]), floats(sound["behind_se"])
    close = too_close(behind, error) & (np.arange(len(sound)) > 0)
    tied = [str(m) for m in sound["model"][close]]
    said = [f"{best} predicts left-out rows best"]
    said[0] += f"; too close to it to call: {', '.join(tied)}." if tied else "."
    differences = []
    for line, d, e in zip(sound, behind, error, strict=True):
        name = str(line["model"])
        if (name in LADDER or name not in TIME_LAWS) and name not in (best, *tied):
            what = f"without {_TERMS[name]}" if name in _TERMS else name
            differences.append(f"{what} −{d:.1f} ± {e:.1f}")
    if differences:
        said.append(f"Difference in elpd from the best model: {'; '.join(differences)}.")
    return said


def _of_stack(models: QTable) -> str:
    weight = floats(models["weight"])
    order = [i for i in np.argsort(-weight) if weight[i] >= 0.01]
    parts = [f"{models['model'][i]} {100 * weight[i]:.0f} %" for i in order]
    return f"The stack, the mixture that predicts left-out rows best: {', '.join(parts)}."


def _of_forecast(forecast: QTable) -> list[str]:
    last = forecast[floats(forecast["mjd"]) == floats(forecast["mjd"]).max()]
    stack = rows_with(last, "model", STACK)
    laws = last[np.array(words(last["model"])) != STACK]
    if not len(laws):
        return []
    widest, spread = "", (0.0, 0.0)
    for line in stack:
        of = rows_with(laws, "filter", str(line["filter"]))
        off = 100 * (floats(of["c_q50"]) / float(line["c_q50"].value) - 1)
        if not widest or np.ptp(off) > spread[1] - spread[0]:
            widest, spread = str(line["filter"]), (float(off.min()), float(off.max()))
    line = rows_with(stack, "filter", widest)
    low, high = (
        100 * (floats(line[n])[0] / floats(line["c_q50"])[0] - 1) for n in ("c_q16", "c_q84")
    )
    at = float(years(line["mjd"])[0])
    return [
        f"In {at:.1f} the time laws differ most in {widest}: their medians lie "
        f"{percent(spread[0])} to {percent(spread[1])} from the stack's, whose 68 % interval is "
        f"{percent(low)} to {percent(high)}."
    ]


def _of_hindcasts(hindcasts: QTable | None) -> list[str]:
    if hindcasts is None:
        return []
    stack = rows_with(hindcasts, "model", STACK)
    rows, inside = floats(stack["rows_after"]).sum(), floats(stack["inside_68"]).sum()
    return [
        f"Told only of the rows before each of {len(stack)} dates, the stack's central 68 % "
        f"interval holds {100 * inside / rows:.0f} % of the later rows (counted at every date: "
        f"{rows:.0f}, which are not independent)."
    ]


def model_sheet(models: QTable) -> Sheet:
    """Return every model and how it stands."""
    lines = tuple(
        (
            text(row["model"]),
            text(row["title"]),
            text(row["law"]),
            number(float(row["elpd"]), 1),
            number(float(row["behind"]), 1),
            number(float(row["behind_se"]), 1),
            number(float(row["weight"]), 2),
            count(row["rough_rows"]),
        )
        for row in models
    )
    heads = ("Model", "In a sentence", "Time law", "elpd", "Behind", "±", "Weight", "k > 0.7")
    return Sheet("Rival models, the best first", heads, lines)


def hindcast_sheet(hindcasts: QTable) -> Sheet:
    """Return how each model predicts the rows after each date."""
    lines = tuple(
        (
            number(float(row["cut_mjd"].value), 0),
            count(row["rows_before"]),
            count(row["rows_after"]),
            text(row["model"]),
            number(float(row["weight"]), 2),
            number(float(row["log_score"]), 3),
            number(100 * row["inside_68"] / row["rows_after"], 0),
            number(100 * row["inside_95"] / row["rows_after"], 0),
        )
        for row in hindcasts
    )
    heads = ("Up to MJD", "Rows", "Later", "Model", "Weight", "Log score", "In 68 %", "In 95 %")
    return Sheet("Rows after a date, predicted from those before it", heads, lines)
