"""Figures of a run's check, and of the rows' shares in what all others predict of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure

from mirical.checking import figures
from mirical.errors import InputError, did_you_mean, reading
from mirical.figures.row_figures import uniform_shares
from mirical.instruments.instrument import Instrument
from mirical.number_text import floats, words

_FOLDER, _ROWS = "check", "photometry_sha256"

CHECK_FIGURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "influence": ("what leaving out each star does to A", ("influence",)),
    "excess": ("each star's probability of an infrared excess", ("anomalies",)),
    "pit": ("where rows lie in what all others predict of them", ("loo", "pit")),
    "slopes": ("slopes of C with source and detector", ("dependences",)),
    "loo_pit": ("the same as ArviZ draws it: ECDF-PIT of leave-one-out shares", ("loo",)),
    **{
        f"dependence_{name}": (f"rows against {label}", ("points", "dependences"))
        for name, label in figures.AXES.items()
    },
}
"""What each figure shows, and the tables of a check that it is drawn of."""

_OF_BANDS = ("loo_pit", *(f"dependence_{name}" for name in figures.AXES))


def draw_check_figure(
    kind: str,
    folder: Path,
    attrs: Mapping[str, Any],
    instrument: Instrument,
    bands: Sequence[str] | None = None,
) -> Figure:
    """Return one figure of the check that stands in a run's folder.

    Parameters
    ----------
    kind : str
        One of `CHECK_FIGURES`.
    folder : Path
        The run's.
    attrs : mapping
        The run's provenance.
    instrument : Instrument
        Whose rows they are.
    bands : sequence of str, optional
        Bands whose rows are drawn, of a figure that is of rows; by default all.

    Raises
    ------
    InputError
        If the run was not checked, its check is that of other rows or cannot be read, or a band
        is not of it.
    """
    if bands is not None and kind not in _OF_BANDS:
        raise InputError(f"{kind}: this figure is of all bands at once; leave the bands out.")
    tables = {name: _read(folder, name, kind, attrs) for name in CHECK_FIGURES[kind][1]}
    if bands is not None:
        tables = {name: _of_bands(table, bands, kind) for name, table in tables.items()}
    simulated = bool(attrs.get("simulated"))
    parameter = kind.removeprefix("dependence_")
    if parameter != kind:
        if parameter not in words(tables["dependences"]["parameter"]):
            raise InputError(f"{kind}: the rows of this run do not tell it; draw the slopes.")
        return figures.dependence_figure(
            parameter, tables["points"], tables["dependences"], instrument, simulated
        )
    return _drawers(simulated)[kind](*tables.values())


def _drawers(simulated: bool) -> dict[str, Callable[..., Figure]]:
    return {
        "influence": lambda influence: figures.influence_figure(influence, simulated),
        "excess": lambda anomalies: figures.excess_figure(anomalies, simulated),
        "pit": lambda loo, pit: figures.pit_figure(loo, pit, simulated),
        "slopes": lambda slopes: figures.slope_figure(slopes, simulated),
        "loo_pit": lambda loo: uniform_shares(
            {f"{len(loo)} rows, each predicted of all others": floats(loo["pit"])},
            "Share of the prediction below the row",
            "rows",
            simulated,
        ),
    }


def _read(folder: Path, name: str, kind: str, attrs: Mapping[str, Any]) -> QTable:
    path = folder / _FOLDER / f"{name}.ecsv"
    remedy = f"run 'mirical check {folder.name}'"
    if not path.is_file():
        raise InputError(f"{kind}: {path} does not exist; {remedy} first.")
    with reading(str(path), "a table of a check", remedy):
        table = QTable.read(path, format="ascii.ecsv")
    if table.meta.get(_ROWS) != attrs.get(_ROWS) or table.meta.get("seed") != attrs.get("seed"):
        raise InputError(f"{path}: is of another run than that of {folder}; {remedy} again.")
    return table


def _of_bands(table: QTable, bands: Sequence[str], kind: str) -> QTable:
    known = list(dict.fromkeys(words(table["filter"])))
    for band in bands:
        if band not in known:
            raise InputError(
                f"{kind}: the check has no rows in band {band!r}{did_you_mean(band, known)}"
            )
    return table[np.isin(words(table["filter"]), list(bands))]
