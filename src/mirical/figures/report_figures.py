"""Figures of a run's report, one by one, of all bands or of some."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure

from mirical.errors import InputError, did_you_mean
from mirical.instruments.instrument import Instrument
from mirical.instruments.published import published_throughput
from mirical.number_text import words
from mirical.reporting import curves, figures
from mirical.reporting.throughputs import throughput_figure

Tables = Mapping[str, QTable]
_Drawer = Callable[[Tables, Instrument, bool], Figure]


def _curves(tables: Tables, instrument: Instrument, simulated: bool) -> Figure:
    return figures.factor_curves(tables["curves"], tables["predictive"], instrument, simulated)


def _differences(tables: Tables, instrument: Instrument, simulated: bool) -> Figure:
    if instrument.published is None:
        raise InputError(
            f"differences: the card of {instrument.name} has no published coefficients, so there "
            "is nothing to differ from; draw the curves."
        )
    return figures.factor_differences(curves.factor_differences(tables["comparison"]), simulated)


def _predictive(tables: Tables, instrument: Instrument, simulated: bool) -> Figure:
    return figures.predictive_rows(tables["predictive"], instrument, simulated)


def _tails(tables: Tables, instrument: Instrument, simulated: bool) -> Figure:
    return figures.tail_shares(curves.tail_histogram(tables["predictive"]), simulated)


def _stars(tables: Tables, instrument: Instrument, simulated: bool) -> Figure:
    return figures.star_offsets(tables["stars"], instrument, simulated)


def _subarrays(tables: Tables, instrument: Instrument, simulated: bool) -> Figure:
    published = {} if instrument.published is None else published_throughput(instrument)
    return throughput_figure(tables, published, instrument, simulated)


REPORT_FIGURES: dict[str, tuple[str, _Drawer]] = {
    "curves": ("factors with time, their rows and the published curve", _curves),
    "differences": ("factors at the reference epoch, relative to the published ones", _differences),
    "predictive": ("every row over what the model predicts of it", _predictive),
    "tails": ("where rows lie within what is predicted of them", _tails),
    "stars": ("offsets of the stars' predicted fluxes", _stars),
    "subarrays": ("throughputs D of the readouts", _subarrays),
}
"""What each figure shows, and the function that draws it of a run's tables."""

OF_BANDS = {"curves": "curves", "differences": "comparison"} | dict.fromkeys(
    ("predictive", "tails"), "predictive"
)
"""Figures that can be of some bands, and the table that says which there are."""


def draw_report_figure(
    kind: str,
    tables: Tables,
    instrument: Instrument,
    simulated: bool,
    bands: Sequence[str] | None = None,
) -> Figure:
    """Return one figure of a run's report.

    Parameters
    ----------
    kind : str
        One of `REPORT_FIGURES`.
    tables : mapping of {str : QTable}
        The run's, by file name without ``.ecsv``.
    instrument : Instrument
        Whose rows they are.
    simulated : bool
        Whether the figure must say that its data are simulated.
    bands : sequence of str, optional
        Bands to draw; by default all.

    Raises
    ------
    InputError
        If the figure is not of bands, the run has none of those asked for, or there is nothing
        to draw.
    """
    _, drawer = REPORT_FIGURES[kind]
    if bands is None:
        return drawer(tables, instrument, simulated)
    if kind not in OF_BANDS:
        raise InputError(f"{kind}: this figure is of all bands at once; leave the bands out.")
    known = list(dict.fromkeys(words(tables[OF_BANDS[kind]]["filter"])))
    for band in bands:
        if band not in known:
            raise InputError(
                f"{kind}: the run has no rows in band {band!r}{did_you_mean(band, known)}"
            )
    chosen = {name: _of_bands(tables[name], bands) for name in {*OF_BANDS.values()}}
    return drawer({**tables, **chosen}, instrument, simulated)


def _of_bands(table: QTable, bands: Sequence[str]) -> QTable:
    return table[np.isin(words(table["filter"]), list(bands))]
