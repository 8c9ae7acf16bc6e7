"""The default card with every detector term on."""

from __future__ import annotations

from miri_facts import MIRI
from mirical.cards.card import load_card

TERMS = """
[term.step]
dates = [59900.0, 60200.0]
[term.step.prior.step_scale]
distribution = "fixed"
value = 0.02
unit = "1"
reason = "test"
[term.step.prior.step_band_scale]
distribution = "fixed"
value = 0.01
unit = "1"
reason = "test"

[term.time_departure]
[term.time_departure.prior.departure_scale]
distribution = "fixed"
value = 0.01
unit = "1"
reason = "test"
[term.time_departure.prior.departure_length]
distribution = "fixed"
value = 300.0
unit = "d"
reason = "test"
[term.time_departure.prior.departure_slope]
distribution = "fixed"
value = 1.0
unit = "1"
reason = "test"

[term.well_slope]
bands = ["F560W", "F1000W"]
[term.well_slope.prior.well_slope_scale]
distribution = "fixed"
value = 0.01
unit = "1"
reason = "test"
[term.well_slope.prior.well_pivot]
distribution = "fixed"
value = 10000.0
unit = "DN"
reason = "test"

[term.reduction_offset]
[term.reduction_offset.prior.reduction_scale]
distribution = "fixed"
value = 0.02
unit = "1"
reason = "test"
"""


def detector_card_text(rate_bands: str = '["FND"]') -> str:
    """Return the default card with all detector terms, and a slope with rate in some bands."""
    text = load_card("hierarchical", "test", MIRI).text
    return text.replace('bands = ["FND"]', f"bands = {rate_bands}") + TERMS
