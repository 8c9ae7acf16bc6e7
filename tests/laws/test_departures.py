"""Departures from a time law, by hand."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mirical.laws.departures import curve_effect, step_effect

MJD = np.array([59700.0, 59800.0, 60000.0, 60620.0])
BAND = np.array([0, 1, 0, 1])


@pytest.mark.parametrize("library", [np, jnp])
def test_a_step_is_there_from_its_date_on(library):
    step = library.asarray([[0.01, 0.02], [0.1, 0.2]])
    found = step_effect(library.asarray(MJD), (59800.0, 60000.0), step, BAND)
    assert np.asarray(found).tolist() == pytest.approx([0.0, 0.02, 0.11, 0.22])


@pytest.mark.parametrize("library", [np, jnp])
def test_a_curve_is_straight_between_its_knots_and_constant_outside(library):
    at_knots = library.asarray([[0.0, 0.1], [0.4, 0.3], [0.6, 0.9]])
    found = curve_effect(library.asarray(MJD), (59700.0, 59900.0, 60100.0), at_knots, BAND)
    assert np.asarray(found).tolist() == pytest.approx([0.0, 0.2, 0.5, 0.9])
