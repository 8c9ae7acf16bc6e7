"""Sample inputs: photometry, a grid of points, predicted fluxes of an instrument."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from astropy import units as u
from astropy.table import QTable, Table

from mirical.errors import InputError
from mirical.instruments.cards import DEFAULT
from mirical.instruments.instrument import Instrument
from mirical.storage.shipped import data_file

YEAR = 365.0
"""Days between the two epochs of the grid."""


class Sample(NamedTuple):
    """What is written, what it is, and a command that reads it."""

    table: Callable[[Instrument], Table]
    what: str
    use: str


def sample_photometry(instrument: Instrument) -> Table:
    """Return the rows that come with mirical; simulated ones where none of the instrument do."""
    if instrument.name.casefold() == DEFAULT:
        return Table.read(data_file("table5"), format="ascii.ecsv")
    from mirical.simulation.card_simulation import simulate_card

    return simulate_card(instrument, seed=0).photometry


def sample_grid(instrument: Instrument) -> Table:
    """Return points of an instrument: each band in its first readout, at two epochs."""
    bands = [band for band in instrument.bands for _ in range(2)]
    table = QTable(
        {
            "filter": bands,
            "subarray": [instrument.readouts(band)[0] for band in bands],
            "mjd": [instrument.reference_mjd, instrument.reference_mjd + YEAR]
            * len(instrument.bands)
            * u.d,
        }
    )
    table.meta["title"] = "points at which calibration factors are wanted"
    return table


def sample_fluxes(instrument: Instrument) -> Table:
    """Return the predicted fluxes that come with mirical.

    Raises
    ------
    InputError
        If none of the instrument do.
    """
    from mirical.tables.predicted_fluxes import shipped_fluxes

    table = shipped_fluxes(instrument)
    if not len(table):
        raise InputError(
            f"sample fluxes: no predicted fluxes of {instrument.name} come with mirical; 'mirical "
            "fluxes' makes them from spectra."
        )
    return table


SAMPLES = {
    "photometry": Sample(
        sample_photometry,
        "a row an observation of a standard star in a band",
        "mirical run --photometry {file}{card} fits it; docs/tables.md has all columns.",
    ),
    "grid": Sample(
        sample_grid,
        "a row a point at which the calibration factor is wanted",
        "mirical factors RUN --at {file} answers it.",
    ),
    "fluxes": Sample(
        sample_fluxes,
        "a row a star and band, with the flux its spectrum predicts",
        'a job reads it as predicted_fluxes = "{file}".',
    ),
}
