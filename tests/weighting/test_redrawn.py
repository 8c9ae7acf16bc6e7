"""Offsets drawn again: those of the exact conditional, with every named quantity."""

from __future__ import annotations

import numpy as np
import pytest

from mirical.inference.gaussian import Gaussians
from mirical.inference.posterior import Reference, derived, named, quantities
from mirical.model.design import Design
from mirical.model.nesting import Rows, make_blocks, roomy_rows
from mirical.model.terms import colour_correlation
from mirical.weighting.padding import cut
from mirical.weighting.redrawn import redrawn_sites
from prior_draws import CARD, drawn_design

DRAWS = 600


def rows_of(design: Design) -> Rows:
    return Rows(design, make_blocks(design, colour_correlation(design, CARD)))


@pytest.fixture(scope="module", params=["as they are", "filled up"])
def drawn(request: pytest.FixtureRequest):
    """One draw of everything but the offsets, many times over, and what is drawn again of it."""
    design, sites = drawn_design(0)
    one = Gaussians(sites, design, CARD, seed=1)[0]
    sites = sites | {"colour_precision": one.colour_precision[None]}
    many = {name: np.repeat(value, DRAWS, axis=0) for name, value in sites.items()}
    outlier = np.repeat(one.outlier[None], DRAWS, axis=0)
    rows = rows_of(design)
    if request.param == "filled up":
        rows = roomy_rows(design, colour_correlation(design, CARD))
        more = len(rows.design.rows) - len(design.rows)
        outlier = np.pad(outlier, ((0, 0), (0, more)))
        assert more > 0
    return design, many, one, cut(redrawn_sites(many, outlier, rows, CARD, 3, 59760.0), design)


def test_the_rows_expectations_are_those_of_the_rows_gaussian(drawn):
    """Mean and spread of so many draws are within 5 standard errors of the matrix's."""
    design, _, one, found = drawn
    noise = one.sigma**2 + one.outlier * one.outlier_width**2
    # y = effects + noise: the effects given y are y less the noise given y.
    expected = np.asarray(design.log_factor) - noise * one.weighted_residual
    variance = noise - noise**2 * np.diag(one.precision)
    spread = np.sqrt(variance)
    off = (found["expected"].mean(0) - expected) / spread
    assert np.max(np.abs(off)) < 5 / np.sqrt(DRAWS)
    ratio = found["expected"].std(0) / spread
    assert np.max(np.abs(ratio - 1)) < 5 / np.sqrt(2 * DRAWS)


def test_what_the_posterior_names_is_as_good_as_what_was_sampled(drawn):
    design, many, one, found = drawn
    units = [name for name in many if name.endswith(("_unit", "_base"))]
    assert units
    named = {name: value[:3] for name, value in many.items() if name not in units}
    outlier = np.repeat(one.outlier[None], 3, axis=0)
    again = redrawn_sites(named, outlier, rows_of(design), CARD, 3, 59760.0)
    assert not set(again) & set(units)
    np.testing.assert_allclose(again["sigma"], found["sigma"][:3], rtol=1e-12)
    np.testing.assert_allclose(again["loss"], found["loss"][:3], rtol=1e-12)


def test_it_names_all_that_a_posterior_names(drawn):
    design, many, _, found = drawn
    expected = quantities(many, CARD.law, Reference(59760.0, design.t0), design.covariates)
    assert set(named(found)) == set(expected) | {"flux_scale"}
    for name in ("B", "C_ref"):
        of_found = derived(found, CARD.law, Reference(59760.0, design.t0))[name]
        np.testing.assert_allclose(found[name], of_found, rtol=1e-12)


def test_the_seed_fixes_the_offsets(drawn):
    design, many, one, found = drawn
    few = {name: value[:2] for name, value in many.items()}
    outlier = np.repeat(one.outlier[None], 2, axis=0)
    same, other = (
        redrawn_sites(few, outlier, rows_of(design), CARD, s, 59760.0)["A"] for s in (9, 10)
    )
    again = redrawn_sites(few, outlier, rows_of(design), CARD, 9, 59760.0)["A"]
    np.testing.assert_array_equal(same, again)
    assert np.all(same != other) and np.all(same[0] != same[1])
