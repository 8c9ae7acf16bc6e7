"""Schema of draws: the variables of a run's posterior with their dims."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
"""Draws by variable or sample site."""


DIMS: dict[str, list[str]] = {
    "A": ["band"],
    "B": ["band"],
    "tau": ["band"],
    "loss": ["band"],
    "loss_per_year": ["band"],
    "C_ref": ["band"],
    "D": ["subarray"],
    "D_band": ["band", "subarray"],
    "star_offset": ["star"],
    "star_band_offset": ["star", "band"],
    "free_flux": ["star", "band"],
    "flux_offset": ["star", "band"],
    "type_offset": ["srctype"],
    "type_band_offset": ["srctype", "band"],
    "visit_offset": ["visit"],
    "repeatability": ["band"],
    "step": ["step_mjd", "band"],
    "time_departure": ["knot", "band"],
    "rate_slope": ["band"],
    "well_slope": ["band"],
    "reduction_offset": ["reduction", "subarray"],
}
"""Variables of the posterior with named dims, those of its time law among them; the card's scales
are scalars beside them."""

POSITIVE = ("A", "tau", "C_ref", "D", "D_band", "repeatability")
"""Variables that are positive in every draw."""

NEEDED = ("A", "B", "tau", "D", "D_band", "repeatability")
"""Variables that every answer of a run rests on, beside those of its time law."""

FLUX_SCALE = "flux_scale"
"""Variable with the error of the flux scale common to all stars and bands, in ln C: independent of
all others, which are given an exact flux scale."""

SAMPLE = ("chain", "draw")
"""First dims of every variable of the posterior."""

LEAST_DRAWS = 4
"""Draws a chain that a job can ask for at least: fewer are no posterior."""
