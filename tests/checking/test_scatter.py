"""Scatter smaller than stated errors allow, whatever the repeatability."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mirical.checking.scatter import too_little
from mirical.inference.gaussian import Gaussians
from prior_draws import CARD, drawn_design

ERROR = 0.2  # beside which offsets and outliers are small
REPEATABILITY = 0.02  # beside which errors of 0.002 are


def test_errors_stated_too_large_are_told_from_a_small_repeatability():
    """Rows scatter by a third of their errors; the draw's repeatability has shrunk to nothing."""
    design, sites = drawn_design(3, 4)
    here = np.asarray(design.band) == 1
    noise = np.random.default_rng(3).standard_normal(len(here))
    unc = np.where(here, ERROR, 0.002)
    rows = sites["expected"][0] + np.where(here, 0.3 * ERROR, REPEATABILITY) * noise
    sigma = np.where(here, ERROR, np.hypot(REPEATABILITY, 0.002))
    sites |= {"repeatability_median": [REPEATABILITY], "repeatability_spread": [0.3]}
    told = replace(design, log_factor=rows, log_factor_unc=unc)
    one = Gaussians(sites | {"sigma": sigma[None]}, told, CARD, seed=2)[0]
    found = too_little(one, np.asarray(design.band), unc, np.random.default_rng(1), 500)
    shares = np.mean(found >= found[:, :1], axis=1)
    assert np.argmin(shares) == 1 and shares[1] < 0.01
    # Errors that are hidden below the repeatability say nothing either way.
    assert np.all(np.abs(np.delete(found[:, 0], 1)) < 1)
