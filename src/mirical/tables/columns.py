"""Columns of a photometry table: those of Table 5 and what goes with them."""

from __future__ import annotations

from dataclasses import dataclass

from astropy import units as u

from mirical.conventions import COUNT_RATE, FLUX


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
    "PID": Column("JWST program"),
    "srctype": Column("Star type"),
    "filter": Column("Band"),
    "subarray": Column("Subarray"),
    "time": Column("Mid-exposure time, MJD", u.d),
    "pixrate": Column("Count rate of the central pixel", COUNT_RATE),
    "pixwelldepth": Column("What the central pixel collected", u.DN),
    "inttime": Column("Integration time", u.s),
    "iflux": Column("Count rate of the star in the aperture", COUNT_RATE),
    "ifluxunc": Column("Its error", COUNT_RATE),
    "ibkg": Column("Background rate", COUNT_RATE / u.pix),
    "flux": Column("Flux density", FLUX),
    "fluxunc": Column("Its error", FLUX),
    "bkg": Column("Background surface brightness", u.MJy / u.sr),
    "model_flux": Column("Predicted flux", FLUX),
    "model_flux_unc": Column("Its error", FLUX),
    "visit": Column("Visit of the star"),
    "reduction": Column("Version of the pipeline and reference files the row was reduced with"),
}
"""By name, in Table 5's order; background counts in pixrate and pixwelldepth."""
