"""Magnitudes in the Sirius-Vega system."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.tables.zeropoints import flux_density, magnitude, zero_point


def test_the_zero_points_are_those_of_table_6():
    assert (
        zero_point("F560W", MIRI) == 115.439 * u.Jy and zero_point("F2550W", MIRI) == 6.012 * u.Jy
    )


def test_a_hundredth_of_the_flux_is_five_magnitudes():
    np.testing.assert_allclose(
        magnitude([65.011, 0.65011] * u.Jy, "F770W", MIRI), [0.0, 5.0], atol=1e-12
    )


def test_magnitudes_and_fluxes_are_each_others_inverse():
    flux = [0.001, 1.0, 250.0] * u.mJy
    np.testing.assert_allclose(
        flux_density(magnitude(flux, "FND", MIRI), "FND", MIRI), flux, rtol=1e-12
    )


def test_a_flux_that_is_not_positive_has_no_magnitude():
    assert np.isnan(magnitude([0.0, -1.0] * u.mJy, "F770W", MIRI)).all()


def test_an_unknown_band_is_refused():
    with pytest.raises(InputError, match="^zero point: band 'F777W' is not a MIRI band"):
        zero_point("F777W", MIRI)
