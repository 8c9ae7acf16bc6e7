"""Units, zero points and constants of the whole package.

From the design of the model to the posterior all numbers are plain float64 in
the units named here; before and after, they are astropy quantities.
"""

from __future__ import annotations

from astropy import units as u

FLUX = u.mJy
SIMULATED = "SIMULATED"
"""Word that every output of simulated rows holds."""
