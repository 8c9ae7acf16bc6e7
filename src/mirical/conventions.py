"""Units, zero points and constants of the whole package.

From the design of the model to the posterior all numbers are plain float64 in
the units named here; before and after, they are astropy quantities.
"""

from __future__ import annotations

from astropy import units as u

T0_MJD = 59720.0
"""Zero point of the response loss (paper Eq. 4), MJD in days."""

REFERENCE_MJD = 59760.0
"""Epoch at which the one-number factor ``C_ref`` of a band is quoted, MJD in days.

The end of commissioning: in the paper's program every MIRI imaging band has standard-star rows
within a few weeks of it, so ``C_ref`` does not lean on the time law alone. A run whose rows lie
elsewhere quotes it at an epoch among them.
"""

EPOCHS = (T0_MJD - 100.0, 100000.0)
"""First and last MJD at which a factor may be asked for: since JWST observed, to the year 2132."""

VISIT_LENGTH = 1.0
"""Rows of one star within this many days share a visit."""

PIXEL_SOLID_ANGLE = 2.8606325654256e-13 * u.sr
"""Mean solid angle of a MIRI imager pixel, (0.11032 arcsec)^2."""

COUNT_RATE = u.DN / u.s
FLUX = u.mJy
FACTOR = u.MJy * u.pix * u.s / (u.DN * u.sr)
"""Unit of a calibration factor, (MJy/sr)/(DN/s/pixel)."""

SIMULATED = "SIMULATED"
"""Word that every output of simulated rows holds."""

FACTOR_TEXT = "(MJy/sr)/(DN/s/pixel)"
"""The same unit as astronomers write it, for tables and axis labels."""
