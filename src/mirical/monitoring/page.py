"""Page and folder of a monitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Row

from mirical.instruments.instrument import Instrument
from mirical.monitoring.changes import BAND, SLOPE
from mirical.monitoring.figures import LAMPS, residual_figure, statistic_figure
from mirical.monitoring.history import run_hash
from mirical.monitoring.monitor import Monitored
from mirical.monitoring.tables import (
    delay_table,
    light_table,
    record_of,
    row_table,
    statistic_table,
)
from mirical.monitoring.verdict import sentences
from mirical.number_text import Sheet, count, measured, number, text
from mirical.pages.page import page_of
from mirical.pages.page_folder import AboutRun, write_page
from mirical.pages.pictures import Picture, pictures_of


@dataclass(frozen=True)
class MonitorPage(AboutRun):
    """What is told of a monitored run.

    Attributes
    ----------
    sentences : tuple of str
        The verdict.
    record : dict
        What ``monitor.json`` holds.
    lamps : dict of {str : str}
        Colour of each band's light.
    """

    sentences: tuple[str, ...]
    record: dict[str, Any]
    lamps: dict[str, str]

    @property
    def alarm(self) -> bool:
        """Whether there is an alarm."""
        return bool(self.record["alarm"])


def about_monitored(
    found: Monitored, folder: Path, name: str, attrs: Mapping[Any, Any], instrument: Instrument
) -> MonitorPage:
    """Return what is told of a monitored run.

    Parameters
    ----------
    found : Monitored
        What the rows say.
    folder : Path
        Of the run.
    name : str
        The run's.
    attrs : mapping
        Its provenance.
    instrument : Instrument
        Whose rows they are.
    """
    said = sentences(found, name)
    tables = {
        "rows": row_table(found),
        "statistics": statistic_table(found),
        "lights": light_table(found),
        "delays": delay_table(found),
    }
    known = {str(key): value for key, value in attrs.items()}
    known["simulated"] = bool(found.rows.factors.observations.simulated or known["simulated"])
    record = record_of(found, said) | {"run_manifest_sha256": run_hash(folder)}
    lamps = {one.name: one.colour for one in found.lights if one.scope == BAND}
    return MonitorPage(name, known, tables, instrument, said, record, lamps)


def write_monitor(page: MonitorPage, folder: Path) -> None:
    """Write ``monitor.html``, ``monitor.json``, the tables and ``figures/``, all or nothing.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    tables, simulated = page.tables, page.simulated
    figures = {
        "residuals": residual_figure(tables["rows"], page.lamps, page.instrument, simulated),
        "statistic": statistic_figure(tables["statistics"], simulated),
    }
    pictures = pictures_of(figures)
    html = render(page, pictures)
    write_page(page, "monitor.html", html, pictures, folder, {"monitor": page.record})


def render(page: MonitorPage, pictures: Mapping[str, Picture]) -> str:
    """Return the page; every text from a table is escaped."""
    content = {
        "name": page.name,
        "attrs": page.attrs,
        "sentences": page.sentences,
        "alarm": page.alarm,
        "lights": [(str(row["of"]), str(row["light"])) for row in page.tables["lights"]],
        "lamps": LAMPS,
        "light_sheet": light_sheet(page),
        "delay_sheet": delay_sheet(page),
        "record": page.record,
        "pictures": pictures,
    }
    return page_of("monitor.html", content)


def light_sheet(page: MonitorPage) -> Sheet:
    """Return the lights with what stands behind them."""
    lines = tuple(
        (
            text(row["of"]),
            text(row["light"]),
            count(row["rows"]),
            measured(float(row["shift"].value), float(row["shift_unc"].value)),
            number(float(row["statistic"].value), 2),
            number(float(row["highest"].value), 2),
        )
        for row in page.tables["lights"]
    )
    heads = ("Of", "Light", "Rows", "Shift since the fit (%)", "Statistic now", "Highest")
    return Sheet("Lights", heads, lines)


def delay_sheet(page: MonitorPage) -> Sheet:
    """Return how long planted changes go unnoticed."""
    lines = tuple(
        (
            text(row["filter"]),
            text(_planted(row)),
            number(float(row["delay_median"].value), 0),
            number(float(row["delay_90"].value), 0),
            number(float(row["not_found"]), 2),
        )
        for row in page.tables["delays"]
    )
    seen = np.max(page.tables["delays"]["years_watched"].value, initial=0.0)
    missed = f"Not in {seen:.1f} years"
    heads = ("Band", "Change", "Half found in (d)", "Nine tenths in (d)", missed)
    return Sheet("Delays until an alarm", heads, lines)


def _planted(row: Row) -> str:
    """Return a planted change in words."""
    unit = "% a year" if row["change"] == SLOPE else "%"
    return f"{row['change']} of {row['size'].value:g} {unit}"
