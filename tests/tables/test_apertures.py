"""Aperture corrections from encircled-energy radii."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from miri_facts import MIRI
from mirical.tables.apertures import Aperture, published_apertures

# r_a^2 = 16, r_b2^2 - r_b1^2 = 200 - 100: the annulus takes 0.05 x 16 / 100 = 0.008.
SIMPLE = Aperture(r_a=4.0, r_b1=10.0, r_b2=np.sqrt(200.0))
RADII = ("r_a", "r_b1", "r_b2")


def test_the_correction_follows_from_the_radii_by_hand():
    assert SIMPLE.annulus_term == pytest.approx(0.008, rel=1e-14)
    assert SIMPLE.correction == pytest.approx(1 / 0.692, rel=1e-14)


def test_a_far_annulus_leaves_the_encircled_energy_alone():
    assert replace(SIMPLE, r_b2=1e9).correction == pytest.approx(1 / 0.7, rel=1e-14)


@pytest.mark.parametrize(
    ("radius", "factor"), [("r_a", 0.5), ("r_b1", 0.2), ("r_b2", 0.2 * 2**0.5)]
)
def test_the_error_of_one_radius_is_carried_by_hand(radius: str, factor: float):
    # d ln S = 2 dr_a / r_a = 0.5 dr_a, 2 r_b dr_b / area = 0.2 dr_b1, 0.2 sqrt(2) dr_b2;
    # d A_cor = A_cor^2 S d ln S.
    aperture = replace(SIMPLE, **{f"{radius}_unc": 0.3})
    assert aperture.correction_unc == pytest.approx(0.008 / 0.692**2 * factor * 0.3, rel=1e-12)


@pytest.mark.parametrize("band", published_apertures(MIRI))
def test_the_error_of_a_published_correction_is_that_of_independent_radii(band: str):
    aperture, step = published_apertures(MIRI)[band], 1e-6
    slopes = [
        replace(aperture, **{r: getattr(aperture, r) + step}).correction
        - replace(aperture, **{r: getattr(aperture, r) - step}).correction
        for r in RADII
    ]
    errors = [
        s / (2 * step) * getattr(aperture, f"{r}_unc") for s, r in zip(slopes, RADII, strict=True)
    ]
    assert aperture.correction_unc == pytest.approx(np.linalg.norm(errors), rel=1e-6, abs=1e-12)


def test_radii_without_scatter_give_an_exact_correction():
    assert published_apertures(MIRI)["F2550W"].correction_unc == 0.0


def test_an_error_nobody_measured_is_not_an_error_of_zero():
    assert np.isnan(published_apertures(MIRI)["F2550W"].relative_unc)
    measured = replace(SIMPLE, r_a_unc=0.3)
    assert measured.relative_unc == pytest.approx(measured.correction_unc * 0.692)
