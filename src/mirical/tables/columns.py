"""Columns of a photometry table: those of Table 5 and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from astropy import units as u

from mirical.conventions import FLUX
from mirical.instruments.instrument import Instrument


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    description : str
        What it holds.
    unit : Unit or None
        Its unit; None for text.
    """

    description: str
    unit: u.UnitBase | None = None


COLUMNS: dict[str, Column] = {
    "name": Column("Star"),
    "PID": Column("Program"),
    "srctype": Column("Star type"),
    "filter": Column("Band"),
    "subarray": Column("Subarray"),
    "time": Column("Mid-exposure time, MJD", u.d),
    "pixrate": Column("Count rate of the central pixel", u.DN / u.s),
    "pixwelldepth": Column("What the central pixel collected", u.DN),
    "inttime": Column("Integration time", u.s),
    "iflux": Column("Count rate of the star in the aperture", u.DN / u.s),
    "ifluxunc": Column("Its error", u.DN / u.s),
    "ibkg": Column("Background rate", u.DN / u.s / u.pix),
    "flux": Column("Flux density", FLUX),
    "fluxunc": Column("Its error", FLUX),
    "bkg": Column("Background surface brightness", u.MJy / u.sr),
    "model_flux": Column("Predicted flux", FLUX),
    "model_flux_unc": Column("Its error", FLUX),
    "visit": Column("Visit of the star"),
    "reduction": Column("Version of the pipeline and reference files the row was reduced with"),
}
"""By name, in Table 5's order and units; background counts in pixrate and pixwelldepth."""


@cache
def columns(instrument: Instrument) -> dict[str, Column]:
    """Return the same columns with the instrument's unit of counts in place of DN."""
    count = instrument.count_rate * u.s
    found = {
        name: replace(column, unit=column.unit * (count / u.DN))
        if column.unit is not None and u.DN in column.unit.bases and count != u.DN
        else column
        for name, column in COLUMNS.items()
    }
    return found | {"PID": Column(f"{instrument.observatory} program")}
