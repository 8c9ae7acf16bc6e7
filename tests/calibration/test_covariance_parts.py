"""Relative and absolute errors: flux scale and types of star as parts, and left out."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from drawn import TYPE, drawn_calibration, drawn_tree
from miri_facts import MIRI
from mirical.calibration.calibration import ABSOLUTE, PARTS, errors_hold
from mirical.calibration.error_budget import Observation, error_budget
from mirical.calibration.factors import Query
from mirical.calibration.posterior import PosteriorCalibration
from mirical.calibration.published import PublishedCalibration
from mirical.inference.quoted_errors import covariance, half_width, normal_image

PLAIN = drawn_calibration()
SCALED = drawn_calibration(absolute=("flux_scale",))
BOTH = drawn_calibration(absolute=("flux_scale", "types"))
QUERY = Query.of(
    MIRI,
    ["F770W", "F2550W", "F2550W", "F560W"],
    ["SUB64", "FULL", "SUB256", "FULL"],
    [59800.0, 59800.4, 61500.0, 60200.0],
)
ALL = tuple(ABSOLUTE)


def test_the_parts_add_up_to_the_draws_covariance_and_the_flux_scales_variance():
    parts = BOTH.parts(QUERY)
    assert tuple(parts) == PARTS
    scale = half_width(BOTH.run_draws.flat("flux_scale"))
    np.testing.assert_array_equal(parts["flux_scale"], np.full((4, 4), scale**2))
    given = np.log(BOTH.leaving_out(["flux_scale"]).draws(QUERY))
    whole = covariance(given) + scale**2
    np.testing.assert_allclose(sum(parts.values()), whole, rtol=1e-9, atol=1e-16)
    for part in parts.values():
        assert np.linalg.eigvalsh(part).min() > -1e-12


def test_types_are_what_their_offsets_explain():
    types = np.sqrt(np.diag(BOTH.parts(QUERY)["types"]))
    # means of three offsets, gray and of the band; 400 draws are good to 3.5 %, 12 directions of
    # which explain by chance 12 in 400 of what is no part of them
    np.testing.assert_allclose(types, TYPE * np.sqrt(2 / 3), rtol=0.14)


def test_absolute_less_relative_is_flux_scale_and_types():
    parts, answer = BOTH.variances(QUERY), BOTH.at(QUERY)
    matrices = answer.parts
    outside = np.diag(matrices["flux_scale"] + matrices["types"])
    np.testing.assert_allclose(answer.std**2 - answer.relative_std**2, outside, rtol=1e-10)
    np.testing.assert_allclose(answer.std**2, np.diag(answer.covariance), rtol=1e-12)
    np.testing.assert_allclose(matrices["relative"].diagonal(), answer.relative_std**2, rtol=1e-10)
    # In percent the same, but for the skewness of exp.
    np.testing.assert_allclose(
        outside / answer.mean**2, parts["flux_scale"] + parts["types"], rtol=0.01
    )
    budget = error_budget(BOTH, Observation(QUERY))
    left = parts["flux_scale"] + parts["types"]
    np.testing.assert_allclose(budget.std**2 - budget.relative_std**2, left, rtol=1e-12)


def test_a_flux_scale_widens_errors_and_draws_and_nothing_else():
    one, two = PLAIN.at(QUERY), SCALED.at(QUERY)
    scale = SCALED.run_draws.flat("flux_scale")
    np.testing.assert_array_equal(two.mean, one.mean)
    np.testing.assert_array_equal(two.relative_std, one.std)
    np.testing.assert_array_equal(two.std, np.hypot(one.std, one.mean * half_width(scale)))
    by = np.exp(-scale)[:, None]
    np.testing.assert_array_equal(SCALED.draws(QUERY), PLAIN.draws(QUERY) * by)
    some = PLAIN.draws(QUERY, 50, 3) * by[PLAIN.chosen(50, 3)]
    np.testing.assert_array_equal(SCALED.draws(QUERY, 50, 3), some)
    np.testing.assert_array_equal(two.q16, np.quantile(SCALED.draws(QUERY), 0.16, axis=0))
    before, after = PLAIN.parts(QUERY), SCALED.parts(QUERY)
    for name in PARTS[1:]:
        np.testing.assert_array_equal(after[name], before[name])
    a, b = (each.stated_coefficients() for each in (PLAIN, SCALED))
    np.testing.assert_allclose(b["A_std"] ** 2 - a["A_std"] ** 2, (a["A"] * half_width(scale)) ** 2)
    np.testing.assert_array_equal(a["tau_std"], b["tau_std"])


def test_leaving_the_flux_scale_out_gives_the_numbers_of_a_card_without_it():
    left, plain = SCALED.leaving_out(["flux_scale"]), PLAIN
    one, two = left.at(QUERY), plain.at(QUERY)
    for name in ("mean", "std", "relative_std", "q025", "q16", "q84", "q975", "covariance"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(left.draws(QUERY, 20, 1), plain.draws(QUERY, 20, 1))
    for name in PARTS:
        np.testing.assert_array_equal(left.parts(QUERY)[name], plain.parts(QUERY)[name])
        np.testing.assert_array_equal(left.variances(QUERY)[name], plain.variances(QUERY)[name])
    assert np.all(plain.parts(QUERY)["flux_scale"] == 0) and plain.absolute_parts == ()


def test_without_types_draws_go_along_with_no_offset_of_theirs():
    left, whole = BOTH.leaving_out(ALL), BOTH.at(QUERY)
    answer = left.at(QUERY)
    np.testing.assert_array_equal(answer.std, whole.relative_std)
    np.testing.assert_array_equal(answer.mean, whole.mean)
    np.testing.assert_array_equal(answer.covariance, whole.parts["relative"])
    draws = np.log(left.draws(QUERY))
    bands = [BOTH.bands.index(band) for band in dict.fromkeys(QUERY.filters)]
    own = BOTH.run_draws.flat("type_band_offset")[..., bands].reshape(len(draws), -1)
    offsets = normal_image(np.hstack([BOTH.run_draws.flat("type_offset"), own]))
    together = offsets.T @ (draws - draws.mean(axis=0)) / len(draws)
    np.testing.assert_allclose(together, 0, atol=1e-15)
    np.testing.assert_allclose(half_width(draws), answer.std / answer.mean, rtol=0.14)
    np.testing.assert_array_equal(left.draws(QUERY, 30, 2), left.draws(QUERY)[left.chosen(30, 2)])
    parts = left.variances(QUERY)
    assert all(np.all(parts[name] == 0) for name in ABSOLUTE)


def test_types_that_the_card_fixes_explain_nothing():
    tree = drawn_tree()
    posterior = tree["posterior"].to_dataset()
    none = np.zeros((*posterior["A"].shape[:2], 3))
    tree["posterior"] = xr.DataTree(
        posterior.assign(type_offset=(("chain", "draw", "srctype"), none))
    )
    fixed = PosteriorCalibration.of(tree, MIRI)
    one, two = fixed.at(QUERY), PLAIN.at(QUERY)
    np.testing.assert_array_equal(one.relative_std, two.std)
    np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-12)
    for name in PARTS:
        np.testing.assert_allclose(fixed.parts(QUERY)[name], PLAIN.parts(QUERY)[name], rtol=1e-9)


def test_many_points_have_the_relative_errors_of_few():
    mjd = np.linspace(59725.0, 61500.0, 600)
    many = BOTH.at(Query.of(MIRI, "F770W", "SUB64", mjd))
    few = BOTH.at(Query.of(MIRI, "F770W", "SUB64", mjd[::150]))
    np.testing.assert_allclose(many.relative_std[::150], few.relative_std, rtol=1e-3)


@pytest.mark.parametrize(
    ("calibration", "said"),
    [
        (BOTH, "errors are absolute: they hold the flux scale and the types of star, which"),
        (PLAIN, "no error of the flux scale is stated, so absolute errors are unknown; errors are"),
        (
            PublishedCalibration(MIRI),
            "no error of the flux scale is stated, so absolute errors are",
        ),
        (
            BOTH.leaving_out(["flux_scale"]),
            "errors are without the flux scale, left out as asked; they hold the types of star",
        ),
        (
            BOTH.leaving_out(ALL),
            "errors are without the flux scale and the types of star, left out as asked",
        ),
    ],
)
def test_a_calibration_says_which_error_it_carries(calibration, said):
    assert errors_hold(calibration).startswith(said)


def test_the_sentence_for_a_paper_has_both_errors():
    query = Query.of(MIRI, "F770W", "SUB64", 59800)
    budget = error_budget(BOTH, Observation(query))
    table = budget.table()
    sizes = {name: table[f"{name}_pct"].value[0] for name in (*ALL, "relative", "absolute")}
    outside = sizes["flux_scale"] ** 2 + sizes["types"] ** 2
    assert sizes["absolute"] ** 2 - sizes["relative"] ** 2 == pytest.approx(outside, rel=1e-3)
    absolute, relative = (f"{sizes[name]:.2f} %" for name in ("absolute", "relative"))
    said = budget.sentence()
    assert f"an absolute error (1 sigma) of {absolute} in F770W" in said
    assert (
        "between fluxes of this instrument, the flux scale and the types of star taken as exact, "
        f"the relative error is {relative} in F770W" in said
    )
    assert f"flux scale {sizes['flux_scale']:.2f} %, types of star " in said
    left = error_budget(BOTH.leaving_out(ALL), Observation(query)).sentence()
    assert f"a relative error (1 sigma) of {relative}" in left
    assert "left out as asked: the flux scale and the types of star" in left
