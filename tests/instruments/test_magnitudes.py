"""Magnitudes and zero points in three systems, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u

from miri_facts import MIRI
from mirical.errors import InputError
from mirical.instruments.cards import load_instrument
from mirical.instruments.magnitudes import flux_densities, magnitudes, zero_flux, zero_points

WFC3 = load_instrument("wfc3", "test")


def test_the_zero_points_of_vega_are_those_of_table_6():
    assert zero_flux("F560W", "Vega", MIRI) == 115.439 * u.Jy
    assert zero_flux("F2550W", "Vega", MIRI) == 6.012 * u.Jy


def test_st_magnitudes_are_per_wavelength_at_the_pivot():
    # 3.631e-9 erg/s/cm2/A at 0.477089 micron, times lambda^2 / c.
    by_hand = 3.631e-9 * 4770.89**2 / 2.99792458e18 * 1e23
    assert zero_flux("F475W", "ST", WFC3).to_value("Jy") == pytest.approx(by_hand, rel=1e-9)


def test_a_hundredth_of_the_flux_is_five_magnitudes():
    found = magnitudes([65.011, 0.65011] * u.Jy, ["F770W"] * 2, "Vega", MIRI)
    np.testing.assert_allclose(found, [0.0, 5.0], atol=1e-12)


@pytest.mark.parametrize("system", ["AB", "ST", "Vega"])
def test_magnitudes_and_fluxes_are_each_others_inverse(system: str):
    flux, bands = [0.001, 1.0, 250.0] * u.mJy, ["FND", "F770W", "F560W"]
    again = flux_densities(magnitudes(flux, bands, system, MIRI), bands, system, MIRI)
    np.testing.assert_allclose(again, flux, rtol=1e-12)


def test_the_zero_point_of_a_factor_is_the_magnitude_of_one_count_a_second():
    # 0.3631 uJy a count: 1e-10 of 3631 Jy.
    assert zero_points(np.array([0.3631]), ["F475W"], WFC3) == pytest.approx([25.0], abs=1e-12)


def test_a_flux_that_is_not_positive_has_no_magnitude():
    assert np.isnan(magnitudes([0.0, -1.0] * u.mJy, ["F770W"] * 2, "AB", MIRI)).all()


def test_what_the_card_does_not_know_is_refused():
    with pytest.raises(InputError, match="WFC3: its card has no zero_points"):
        zero_flux("F475W", "Vega", WFC3)
    with pytest.raises(InputError, match="zero_points has no band 'F777W'"):
        zero_flux("F777W", "Vega", MIRI)
