"""Constants keep their derivation."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u

from miri_facts import FACTOR, PIXEL_SOLID_ANGLE


def test_the_pixel_solid_angle_is_that_of_a_square_of_0_11032_arcsec():
    side = np.sqrt(PIXEL_SOLID_ANGLE).to_value(u.arcsec, u.dimensionless_angles())
    assert side == pytest.approx(0.11032, abs=5e-6)


def test_the_unit_of_a_factor_turns_count_rates_per_pixel_into_surface_brightness():
    assert (u.DN / u.s / u.pix * FACTOR).to(u.MJy / u.sr) == 1.0
