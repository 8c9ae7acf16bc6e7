"""Photometry tables of STScI's ImagingFluxCal code, in the contract's column names.

One row a mosaic: what photutils measured, and the header of the image. The star's type is no
column of theirs but the folder's name.
"""

from __future__ import annotations

import numpy as np
from astropy import units as u
from astropy.table import Column, Table
from numpy.typing import NDArray

from mirical.stars import STARS, canonical_star

_NAMES = {
    "program": "PID",
    "aperture_sum_bkgsub": "iflux",
    "aperture_sum_bkgsub_err": "ifluxunc",
    "pix_max": "pixrate",
    "mean_bkg": "ibkg",
    "aprad": "r_a",
    "annrad1": "r_b1",
    "annrad2": "r_b2",
}
_MARK = ("aperture_sum_bkgsub", "aperture_sum_bkgsub_err")


def adapt(table: Table) -> Table:
    """Give a table of that code, told by its columns, the contract's; leave any other.

    The aperture and annulus that it states a row become ``r_a, r_b1, r_b2`` to hundredths of a
    pixel, as Table 4 prints them; the type of a star of the program becomes ``srctype``, that of
    another is not known and its row flagged.
    """
    if not set(_MARK) <= set(table.colnames):
        return table
    for old, new in _NAMES.items():
        if old in table.colnames and new not in table.colnames:
            table.rename_column(old, new)
    for name in ("r_a", "r_b1", "r_b2"):
        if name in table.colnames and _is_number(table[name]):
            unit = table[name].unit or u.pix
            table[name] = Column(np.round(_filled(table[name]), 2), unit=unit)
    if "ibkg" in table.colnames:
        table["ibkg"].info.unit = u.DN / u.s / u.pix  # a mean of pixels, in DN/s there
    times = [table[name] for name in ("tgroup", "ngroups") if name in table.colnames]
    if len(times) == 2 and all(map(_is_number, times)):
        table["inttime"] = Column(_filled(times[0]) * _filled(times[1]), unit=u.s)
    if "srctype" not in table.colnames and "name" in table.colnames:
        known = [STARS.get(canonical_star(str(name))) for name in table["name"]]
        table["srctype"] = [star.srctype if star else "" for star in known]
        if "flag" not in table.colnames and not all(known):
            table["flag"] = ["" if star else "unknown_type" for star in known]
    return table


def _is_number(column: Column) -> bool:
    return getattr(column, "ndim", 0) == 1 and getattr(column.info.dtype, "kind", "") in "fiu"


def _filled(column: Column) -> NDArray[np.float64]:
    return np.ma.filled(np.ma.asarray(column).astype(float), np.nan)
