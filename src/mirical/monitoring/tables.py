"""Tables and the JSON record of a monitor."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable

from mirical.monitoring.changes import BAND, SCATTER, scopes
from mirical.monitoring.monitor import Monitored
from mirical.monitoring.verdict import place_words, remedy
from mirical.number_text import words

VERSION = 1
"""Of the keys of ``monitor.json``."""


def row_table(found: Monitored) -> QTable:
    """Return each watched row beside what the run expects of it, in order of time."""
    design, places, expected = found.rows.design, found.rows.new, found.ahead.expected
    merged = found.rows.factors.observations.table
    at = np.searchsorted(np.asarray(merged["row"]), np.array(design.rows)[places])
    rows, error = merged[at], np.sqrt(np.sum(expected.root**2, axis=1))
    off = np.asarray(design.log_factor)[places] - expected.mean
    table = QTable()
    for name in ("name", "srctype", "filter", "subarray"):
        table[name] = words(rows[name])
    table["time"] = found.watched.mjd * u.d
    table["visit"] = words(rows["visit"])
    table["residual"] = 100 * off * u.percent
    table["residual_unc"] = 100 * error * u.percent
    tested = found.found.tested[:, 0]
    table["innovation"] = np.where(tested, found.found.value[:, 0], np.nan)
    table["outlier_probability"] = np.where(tested, found.found.outlier[:, 0], np.nan)
    table["residual"].info.description = "ln C less what the run alone expects"
    table["residual_unc"].info.description = "Error of that expectation, and scatter of a row"
    table["innovation"].info.description = (
        "Residual in sigma about what run and all earlier rows say: standard normal if nothing "
        "changed; none where they do not tell the star's level"
    )
    table["outlier_probability"].info.description = "That the row is an outlier, if nothing changed"
    table.meta["title"] = "Rows since the fit beside what the run expects of them"
    return table


def statistic_table(found: Monitored) -> QTable:
    """Return the statistic at every epoch, the sum and the part of each light."""
    table, years = QTable(), u.yr
    table["mjd"] = found.watched.ends * u.d
    table["statistic"] = found.statistic * years
    table["statistic"].info.description = "Shiryaev-Roberts statistic of all that is looked for"
    for scope, name in scopes(found.changes):
        mine = [(one.scope, one.name) == (scope, name) for one in found.changes]
        column = place_words(scope, name).replace(" ", "_")
        table[column] = found.parts[mine].sum(axis=0) * years
        table[column].info.description = f"Part of {place_words(scope, name)}"
    table.meta |= {
        "title": "Statistic of the sequential test since the fit",
        "alarm_level": found.level.level,
        "watch_level": found.watch.level,
    }
    return table


def light_table(found: Monitored) -> QTable:
    """Return the light of each band, readout, and of all bands."""
    table = QTable()
    table["of"] = [place_words(one.scope, one.name) for one in found.lights]
    table["light"] = [one.colour for one in found.lights]
    table["rows"] = [_rows_of(found, one.scope, one.name) for one in found.lights]
    for name in ("statistic", "highest"):
        table[name] = np.array([getattr(one, name) for one in found.lights]) * u.yr
    for name, part in (("shift", "size"), ("shift_unc", "size_unc")):
        known = [
            getattr(found.shifts[one.name], part) if one.scope == BAND else np.nan
            for one in found.lights
        ]
        table[name] = 100 * np.array(known) * u.percent
    table["of"].info.description = "Band, readout, or all bands"
    table["light"].info.description = "green, amber (watch) or red (alarm)"
    table["rows"].info.description = "Rows since the fit"
    table["statistic"].info.description = "Its part of the statistic at the last epoch"
    table["highest"].info.description = "The highest at any epoch"
    table["shift"].info.description = "Change of ln C of all rows since the fit, taken as one step"
    table["shift_unc"].info.description = "Its error"
    table.meta["title"] = "Lights"
    return table


def _rows_of(found: Monitored, scope: str, name: str) -> int:
    return next(len(c.rows) for c in found.changes if (c.scope, c.name) == (scope, name))


def delay_table(found: Monitored) -> QTable:
    """Return how long planted changes go unnoticed at the cadence to come."""
    table = QTable()
    table["filter"] = [one.band for one in found.delays]
    table["change"] = [one.shape for one in found.delays]
    table["size"] = 100 * np.array([one.size for one in found.delays]) * u.percent
    for name, share in (("delay_median", 0.5), ("delay_90", 0.9)):
        table[name] = np.array([one.quantile(share) for one in found.delays]) * u.d
    table["not_found"] = [one.missed for one in found.delays]
    table["years_watched"] = np.array([one.watched for one in found.delays]) * u.yr
    table["streams"] = [len(one.days) for one in found.delays]
    table["change"].info.description = "What is planted: step or slope"
    table["size"].info.description = "Change of ln C; a year for a slope"
    table["delay_median"].info.description = "Days until half of the streams raise the alarm"
    table["delay_90"].info.description = "Days until nine tenths do"
    table["not_found"].info.description = "Share of streams without an alarm in the years watched"
    table["years_watched"].info.description = "Time that streams are watched after the change"
    table["streams"].info.description = "Streams without an alarm before the change"
    table.meta["title"] = "Delays until an alarm of changes of one band, simulated"
    return table


def record_of(found: Monitored, said: tuple[str, ...]) -> dict[str, Any]:
    """Return what dashboards are told; every number is plain, unknown ones None."""
    best, level = found.likeliest, found.level
    scale = 1.0 if best.change.shape == SCATTER else 100.0
    lights = light_table(found)
    return {
        "version": VERSION,
        "alarm": found.alarm is not None,
        "alarm_mjd": found.alarm,
        "sentences": list(said),
        "rows": len(found.watched.mjd),
        "epochs": len(found.watched.ends),
        "rows_known": found.rows.known,
        "fit_until_mjd": found.watched.since,
        "last_mjd": float(found.watched.mjd[-1]),
        "statistic": float(found.statistic[-1]),
        "statistic_highest": float(found.statistic.max()),
        "alarm_level": level.level,
        "watch_level": found.watch.level,
        "false_alarms_per_year": {
            "asked": level.asked,
            "simulated": level.rate,
            "error": level.rate_error,
            "alarms": level.alarms,
            "years": level.years,
            "cadence": found.cadence.words,
        },
        "looks_like": {
            "shape": best.change.shape,
            "of": place_words(best.change.scope, best.change.name),
            "probability": best.probability,
            "size": scale * best.size,
            "size_unc": scale * best.size_unc,
            "unit": {"step": "percent", "slope": "percent / yr"}.get(best.change.shape, "1"),
            "began_after_mjd": best.earliest,
            "began_before_mjd": best.latest,
            "what_to_do": remedy(best.change),
        },
        "lights": [{name: _plain(row[name]) for name in row.colnames} for row in lights],
        "delays": [
            {name: _plain(row[name]) for name in row.colnames} for row in delay_table(found)
        ],
    }


def _plain(entry: Any) -> Any:
    """Return an entry of a table as JSON has it: a number that is not finite is None."""
    number = getattr(entry, "value", entry)
    if isinstance(number, str):
        return str(number)
    number = number.item() if hasattr(number, "item") else number
    return number if isinstance(number, int) or np.isfinite(number) else None
