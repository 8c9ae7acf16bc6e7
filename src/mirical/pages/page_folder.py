"""Folder of a page about a run: page, tables and figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from astropy.table import QTable

from mirical.calibration.provenance import run_record, stamp
from mirical.instruments.instrument import Instrument
from mirical.pages.links import link_page
from mirical.pages.pictures import Picture
from mirical.plotting.canvas import labelled
from mirical.storage.files import whole_folder
from mirical.tables.formats import write_ecsv

_FORMER = ("figures/*.png",)  # of versions before the list of files


@dataclass(frozen=True)
class AboutRun:
    """What is told of a run.

    Attributes
    ----------
    name : str
        The run's.
    attrs : dict
        Its provenance.
    tables : dict of {str : QTable}
        By file name without ``.ecsv``.
    instrument : Instrument
        Whose rows they are.
    """

    name: str
    attrs: dict[str, Any]
    tables: dict[str, QTable]
    instrument: Instrument

    @property
    def simulated(self) -> bool:
        """Whether the run's rows were simulated."""
        return bool(self.attrs["simulated"])


def write_page(
    about: AboutRun,
    page: str,
    text: str,
    pictures: Mapping[str, Picture],
    folder: Path,
    records: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write a page, the tables and ``figures/`` into a folder, all or nothing.

    Where it is the folder of a run, the run's other pages then link to it.

    Parameters
    ----------
    about : AboutRun
        Whose tables are written.
    page, text : str
        Name of the page and what stands on it.
    pictures : mapping of {str : Picture}
        By file name without ``.png``.
    folder : Path
        Where to.
    records : mapping of {str : mapping}, optional
        What else is written as JSON, by file name without ``.json``.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    with whole_folder(folder, former=_FORMER, listed=True) as beside:
        known = {"run": about.name, **run_record(about.attrs)}
        for name, table in about.tables.items():
            stamp(table, known)
            write_ecsv(table, beside / f"{name}.ecsv")
        (beside / "figures").mkdir()
        for name, picture in pictures.items():
            (beside / "figures" / f"{name}.png").write_bytes(labelled(picture.png, known))
        for name, record in (records or {}).items():
            said = json.dumps({**record, **known}, indent=2, ensure_ascii=False, allow_nan=False)
            (beside / f"{name}.json").write_text(said + "\n", encoding="utf-8")
        (beside / page).write_text(text, encoding="utf-8")
    link_page(folder, page)
